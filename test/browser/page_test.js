// SPDX-License-Identifier: Apache-2.0
// Looks at a page as a person would, and at what it answers: test/system/html_test.sh
// has the sums that the source has.
//
//     page_test.js CASE PAGE [EXPECTED...]
"use strict";
const assert = require("node:assert/strict");
const { start } = require("./browser.js");

const READY = "flameProf.then(page => { window.page = page; return page.answer.samples; })";

const settle = tab => tab.evaluate("new Promise(resolve => setTimeout(resolve, 0)).then(() => page.update()).then(() => 1)");
const answer = tab => tab.evaluate("({ samples: page.answer.samples, gain: page.answer.gain, drop: page.answer.drop })");

async function choose(tab, id, value) {
    await tab.evaluate(`(() => { const one = document.getElementById("${id}"); one.value = "${value}";
        one.dispatchEvent(new Event("change")); })()`);
    await settle(tab);
}

const boxOf = (tab, id) => tab.evaluate(`(() => { const box = document.getElementById("${id}").getBoundingClientRect();
    return { x: box.left, y: box.top, w: box.width, h: box.height }; })()`);

function isSilent(tab, page) {
    assert.deepEqual(tab.said, []);
    assert.deepEqual(tab.requests.filter(url => !url.startsWith("file://")), []);
    assert.equal(tab.requests.length, 1, "one file: " + tab.requests.join(" "));
}

const CASES = {
    // EXPECTED: samples, sum of the metric erlang_memory, of its increases, of its decreases;
    // samples and sum of the first column.
    async sums(tab, samples, sum, gain, drop, columnSamples, columnSum) {
        assert.equal(await tab.evaluate(READY), Number(samples));
        await choose(tab, "metric", "m0");
        assert.equal(await tab.evaluate("document.getElementById('warning').textContent"),
            "loss ring full: 12 · the recording has no end: it was cut off");
        assert.deepEqual(await answer(tab), { samples: Number(samples), gain: sum, drop: "0" });
        await choose(tab, "form", "delta");
        assert.deepEqual(await answer(tab), { samples: Number(samples), gain, drop });
        await choose(tab, "form", "dec");
        assert.deepEqual(await answer(tab), { samples: Number(samples), gain: drop, drop: "0" });
        // The heatmap and the flame graph agree, whatever the root frames are.
        await choose(tab, "form", "value");
        for (const roots of ["[]", "[0]", "[1, 0]"]) {
            await tab.evaluate(`page.roots = ${roots}`);
            await settle(tab);
            assert.equal((await answer(tab)).gain, sum);
            assert.equal(await tab.evaluate("String(page.heatmap.heat.sums.reduce((a, b) => a + b))"), sum);
        }
        // The first column, by mouse.
        const box = await boxOf(tab, "heatmap");
        const column = await tab.evaluate("page.heatmap.columnWidth");
        const bottom = await tab.evaluate("page.profile.rowCount * page.heatmap.rowHeight");
        await tab.drag(box.x + 1, box.y + bottom - 1, box.x + column - 1, box.y + 1);
        await settle(tab);
        assert.deepEqual(await answer(tab), { samples: Number(columnSamples), gain: columnSum, drop: "0" });
        assert.match(await tab.evaluate("document.getElementById('range').textContent"), /1\.00 s\)/);
    },

    async keys(tab) {
        await tab.evaluate(READY);
        await tab.evaluate("document.getElementById('heatmap').focus()");
        for (const key of ["Home", "ArrowUp"]) await tab.key(key);
        assert.deepEqual(await tab.evaluate("page.heatmap.range"), [1, 1]);
        await tab.key("ArrowRight", 8);
        assert.deepEqual(await tab.evaluate("page.heatmap.range"), [1, 51]);
        await settle(tab);
        const part = (await answer(tab)).samples;
        assert.equal(part, await tab.evaluate("page.profile.cellBegin[52] - page.profile.cellBegin[1]"));
        // It is in the address.
        assert.match(await tab.evaluate("location.hash"), /cells=1-51/);
        await tab.key("Escape");
        await settle(tab);
        assert.equal((await answer(tab)).samples, await tab.evaluate("page.profile.count"));
        // In the flame graph: to a child, zoom, and out.
        await tab.evaluate("document.getElementById('flame').focus()");
        for (const key of ["ArrowDown", "Enter"]) await tab.key(key);
        assert.equal(await tab.evaluate("page.graph.parent[page.flame.zoom]"), 0);
        assert.notEqual(await tab.evaluate("page.flame.zoom"), 0);
        await tab.key("Escape");
        assert.equal(await tab.evaluate("page.flame.zoom"), 0);
        // By mouse, with a tooltip that tells value and share.
        const box = await boxOf(tab, "flame");
        await tab.mouse("mouseMoved", box.x + 5, box.y + 27);
        assert.match(await tab.evaluate("document.getElementById('tip').textContent"), /\d+(\.\d+)? %/);
        await tab.click(box.x + 5, box.y + 27);
        assert.equal(await tab.evaluate("page.graph.depth[page.flame.zoom]"), 1);
    },

    // EXPECTED: a name that must be found, its samples.
    async search(tab, name, count) {
        await tab.evaluate(READY);
        await choose(tab, "metric", "samples");
        await tab.evaluate(`page.setSearch(${JSON.stringify(name)})`);
        assert.match(await tab.evaluate("document.getElementById('found').textContent"), new RegExp("found " + Number(count).toLocaleString("en") + ","));
        assert.equal(await tab.evaluate("String(page.flame.found[0])"), count);
    },

    // EXPECTED: names that must be shown as they are.
    async hostile(tab, ...names) {
        await tab.evaluate(READY);
        const shown = await tab.evaluate("document.body.innerText");
        for (const name of names) assert.ok(shown.includes(name), name + " is not in the table");
        assert.equal(await tab.evaluate("typeof window.harmed"), "undefined");
        assert.equal(await tab.evaluate("document.querySelectorAll('img, iframe, object, link').length"), 0);
        assert.equal(await tab.evaluate("document.querySelectorAll('script:not([type=\"text/plain\"])').length"), 1);
    },

    // A damaged page says so.
    async damaged(tab, what) {
        await tab.evaluate("flameProf.catch(() => 0)");
        assert.equal(await tab.evaluate("document.getElementById('warning').hidden"), false);
        assert.match(await tab.evaluate("document.getElementById('warning').textContent"), new RegExp(what));
        tab.said = [];
    },

    // Every theme, a phone too: nothing wider than the window, and what is drawn is drawn.
    async looks(tab) {
        await tab.evaluate(READY);
        assert.ok(await tab.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than the window");
        for (const id of ["heatmap", "flame"]) {
            const colours = await tab.evaluate(`(() => { const one = document.getElementById("${id}");
                const data = one.getContext("2d").getImageData(0, 0, one.width, one.height).data;
                return new Set(new Uint32Array(data.buffer)).size; })()`);
            assert.ok(colours > 5, id + " has " + colours + " colours");
        }
    },
};

async function main([name, page, ...expected]) {
    const browser = await start();
    try {
        const views = name === "looks" ? [{ theme: "dark" }, { width: 390, height: 844, isPhone: true }] : [{}];
        for (const view of views) {
            const tab = await browser.open(page, view);
            await CASES[name](tab, ...expected);
            isSilent(tab, page);
        }
    } finally {
        await browser.close();
    }
}

main(process.argv.slice(2)).catch(error => {
    console.error(error.stack);
    process.exitCode = 1;
});
