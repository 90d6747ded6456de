// SPDX-License-Identifier: Apache-2.0
// Drives a headless Chromium over its debugging pipe: no package, no port. What the page
// says on its console, errors and requests to a network are kept.
//
//     const browser = await start();
//     const tab = await browser.open("/tmp/x.html", { width: 1280, height: 800, theme: "dark" });
//     await tab.evaluate("document.title"); await tab.drag(...); await tab.screenshot("x.png");
//     await browser.close();
"use strict";
const { spawn, spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const TIMEOUT_MS = 120000;

// The browser's program, or null.
function find() {
    for (const name of [process.env.CHROMIUM, "chromium", "chromium-browser", "google-chrome"]) {
        if (name && spawnSync(name, ["--version"], { stdio: "ignore" }).status === 0) return name;
    }
    return null;
}

class Pipe {
    constructor(child) {
        this.child = child;
        this.waiting = new Map();
        this.listeners = [];
        this.last = 0;
        let rest = "";
        child.stdio[4].setEncoding("utf8");
        child.stdio[4].on("data", data => {
            const parts = (rest + data).split("\0");
            rest = parts.pop();
            for (const part of parts) this.take(JSON.parse(part));
        });
        child.stdio[3].on("error", () => {});
        child.on("exit", () => {
            for (const { reject } of this.waiting.values()) reject(new Error("the browser ended"));
        });
    }
    take(message) {
        const asker = this.waiting.get(message.id);
        if (asker === undefined) return this.listeners.forEach(listener => listener(message));
        this.waiting.delete(message.id);
        clearTimeout(asker.timer);
        if (message.error) asker.reject(new Error(asker.method + ": " + message.error.message));
        else asker.resolve(message.result);
    }
    send(method, params = {}, sessionId) {
        const id = ++this.last;
        this.child.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + "\0");
        return new Promise((resolve, reject) => {
            const timer = setTimeout(() => reject(new Error(method + ": no answer")), TIMEOUT_MS);
            this.waiting.set(id, { method, resolve, reject, timer });
        });
    }
}

class Tab {
    constructor(pipe, sessionId) {
        this.pipe = pipe;
        this.sessionId = sessionId;
        this.said = []; // errors, and what the console got
        this.requests = [];
        pipe.listeners.push(message => message.sessionId === sessionId && this.hear(message));
    }
    hear({ method, params }) {
        if (method === "Runtime.exceptionThrown") {
            const { text, exception } = params.exceptionDetails;
            this.said.push(exception && exception.description || text);
        } else if (method === "Runtime.consoleAPICalled") {
            this.said.push(params.type + ": " + params.args.map(arg => arg.value || arg.description).join(" "));
        } else if (method === "Log.entryAdded") {
            this.said.push(params.entry.level + ": " + params.entry.text);
        } else if (method === "Network.requestWillBeSent") {
            this.requests.push(params.request.url);
        }
    }
    send(method, params) {
        return this.pipe.send(method, params, this.sessionId);
    }
    // Of an expression, or of what a promise comes to.
    async evaluate(expression) {
        const { result, exceptionDetails } = await this.send("Runtime.evaluate",
            { expression, awaitPromise: true, returnByValue: true });
        if (exceptionDetails) throw new Error(exceptionDetails.exception.description || exceptionDetails.text);
        return result.value;
    }
    mouse(type, x, y, more = {}) {
        return this.send("Input.dispatchMouseEvent", { type, x, y, button: "left", buttons: type === "mouseMoved" ? more.buttons || 0 : 1,
            clickCount: 1, ...more });
    }
    async click(x, y) {
        await this.mouse("mousePressed", x, y);
        await this.mouse("mouseReleased", x, y);
    }
    async drag(x0, y0, x1, y1) {
        await this.mouse("mousePressed", x0, y0);
        await this.mouse("mouseMoved", (x0 + x1) / 2, (y0 + y1) / 2, { buttons: 1 });
        await this.mouse("mouseMoved", x1, y1, { buttons: 1 });
        await this.mouse("mouseReleased", x1, y1);
    }
    // `modifiers`: 8 = Shift.
    async key(key, modifiers = 0) {
        for (const type of ["keyDown", "keyUp"]) {
            await this.send("Input.dispatchKeyEvent", { type, key, code: key, modifiers });
        }
    }
    async screenshot(file, isWhole) {
        const { data } = await this.send("Page.captureScreenshot", { format: "png", captureBeyondViewport: Boolean(isWhole) });
        fs.writeFileSync(file, Buffer.from(data, "base64"));
    }
}

class Browser {
    constructor(child, home) {
        this.child = child;
        this.home = home;
        this.pipe = new Pipe(child);
    }
    // `file` may end in "#...". Waits for the page's own beginning.
    async open(file, { width = 1280, height = 800, theme = "light", isPhone = false } = {}) {
        const { targetId } = await this.pipe.send("Target.createTarget", { url: "about:blank" });
        const { sessionId } = await this.pipe.send("Target.attachToTarget", { targetId, flatten: true });
        const tab = new Tab(this.pipe, sessionId);
        for (const domain of ["Page", "Runtime", "Log", "Network"]) await tab.send(domain + ".enable");
        await tab.send("Emulation.setDeviceMetricsOverride",
            { width, height, deviceScaleFactor: isPhone ? 2 : 1, mobile: isPhone });
        await tab.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: theme }] });
        const [name, hash] = file.split("#");
        const loaded = new Promise(resolve => this.pipe.listeners.push(message =>
            message.sessionId === sessionId && message.method === "Page.loadEventFired" && resolve()));
        await tab.send("Page.navigate", { url: "file://" + path.resolve(name) + (hash ? "#" + hash : "") });
        await loaded;
        return tab;
    }
    async close() {
        await this.pipe.send("Browser.close").catch(() => {});
        if (this.child.exitCode === null) await new Promise(resolve => this.child.once("exit", resolve));
        fs.rmSync(this.home, { recursive: true, force: true, maxRetries: 5 });
    }
}

async function start() {
    const home = fs.mkdtempSync(path.join(os.tmpdir(), "flameprof-browser."));
    const child = spawn(find(), ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-extensions",
        "--disable-dev-shm-usage", "--disable-background-networking", "--remote-debugging-pipe", "--user-data-dir=" + home],
        { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"], env: { ...process.env, HOME: home } });
    return new Browser(child, home);
}

module.exports = { find, start };
