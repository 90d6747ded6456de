// The flame graph on a canvas. What is narrower than a third of a pixel is not drawn, nor
// what is deeper than a canvas may be high: zoom shows it.

const FLAME_ROW = 18, FLAME_MIN_WIDTH = 0.35, FLAME_MAX_ROWS = 800, FLAME_ABOVE = 10;

class FlameView {
    // `pointed(node, event)`: null = none; `zoomed()`.
    constructor(canvas, pointed, zoomed) {
        this.canvas = canvas;
        this.pointed = pointed;
        this.zoomed = zoomed;
        this.isIcicle = true;
        this.pattern = null;
        this.cursor = 0;
        this.zoom = 0;
        this.listen();
    }

    show(graph) {
        this.graph = graph;
        this.zoom = 0;
        this.cursor = 0;
        this.colours = new Map();
        this.search(this.pattern);
        this.scrollToRoot();
    }

    zoomTo(node) {
        this.zoom = node;
        this.cursor = node;
        this.draw();
        this.scrollToRoot();
        this.zoomed();
    }

    // Marks what matches; the sum of it, nested matches once, by sign.
    search(pattern) {
        const { graph } = this;
        this.pattern = pattern;
        this.matches = null;
        this.found = null;
        if (graph && pattern !== null) {
            const byFrame = new Map();
            const isIn = new Uint8Array(graph.count);
            this.matches = new Uint8Array(graph.count);
            this.found = [graph.zero, graph.zero];
            for (let node = 1; node < graph.count; node++) {
                const key = graph.kind[node] === FRAME ? graph.id[node] : -1;
                let is = key >= 0 ? byFrame.get(key) : undefined;
                if (is === undefined) {
                    is = graph.kind[node] !== SIGN && pattern.test(graph.name(node)) ? 1 : 0;
                    if (key >= 0) byFrame.set(key, is);
                }
                this.matches[node] = is;
                isIn[node] = isIn[graph.parent[node]] | is;
                if (is && !isIn[graph.parent[node]]) this.found[graph.sign(node)] += graph.total[node];
            }
        }
        this.draw();
    }

    draw() {
        const { graph, canvas } = this;
        if (!graph) return;
        const ratio = window.devicePixelRatio || 1;
        const width = canvas.clientWidth || 300;
        const context = canvas.getContext("2d");
        this.skipped = Math.max(0, graph.depth[this.zoom] - FLAME_ABOVE);
        this.boxes = this.visible(width);
        this.rows = 1;
        for (const box of this.boxes) this.rows = Math.max(this.rows, this.row(box.node) + 1);
        const height = Math.max(this.rows, 6) * FLAME_ROW;
        canvas.style.height = height + "px";
        canvas.width = Math.round(width * ratio);
        canvas.height = Math.round(height * ratio);
        this.height = height;
        context.setTransform(ratio, 0, 0, ratio, 0, 0);
        context.font = "12px system-ui, sans-serif";
        context.textBaseline = "middle";
        this.letter = context.measureText("abcdefghijklmnopqrstuvwxyz_:/").width / 29;
        for (const box of this.boxes) this.drawBox(context, box);
        if (document.activeElement === canvas) this.drawCursor(context);
    }

    // The root's side into view, where the graph is higher than its frame.
    scrollToRoot() {
        const frame = this.canvas.parentElement;
        frame.scrollTop = this.isIcicle ? 0 : frame.scrollHeight;
    }

    // The boxes of what is zoomed to, whole rows for what is above it.
    visible(width) {
        const { graph } = this;
        const boxes = [];
        const size = graph.size[this.zoom];
        if (!(size > 0)) return [{ node: 0, x: 0, w: width }];
        const from = graph.begin[this.zoom], unit = width / size;
        for (let node = this.zoom; graph.depth[node] > this.skipped;) {
            node = graph.parent[node];
            boxes.push({ node, x: 0, w: width, isAbove: true });
        }
        const todo = [this.zoom];
        while (todo.length > 0) {
            const node = todo.pop();
            const w = graph.size[node] * unit;
            if (w < FLAME_MIN_WIDTH || this.row(node) >= FLAME_MAX_ROWS) continue;
            boxes.push({ node, x: (graph.begin[node] - from) * unit, w });
            for (const child of graph.childrenOf(node)) todo.push(child);
        }
        return boxes;
    }

    row(node) { return this.graph.depth[node] - this.skipped; }

    top(node) {
        return this.isIcicle ? this.row(node) * FLAME_ROW : this.height - (this.row(node) + 1) * FLAME_ROW;
    }

    colour(node) {
        const { graph } = this;
        const falls = graph.hasSigns && graph.sign(node) === 1;
        const key = graph.kind[node] + ":" + graph.dimension[node] + ":" + graph.id[node] + ":" + falls;
        if (!this.colours.has(key)) this.colours.set(key, nodeColour(graph, node, falls));
        return this.colours.get(key);
    }

    drawBox(context, { node, x, w, isAbove }) {
        const y = this.top(node);
        const isMatch = this.matches !== null && this.matches[node];
        const isDim = isAbove || this.matches !== null && !isMatch;
        const colour = isMatch ? [186, 44, 186] : this.colour(node);
        context.globalAlpha = isDim ? 0.5 : 1;
        context.fillStyle = cssColour(colour);
        context.fillRect(x, y, w > 2 ? w - 0.6 : w, FLAME_ROW - 1);
        context.globalAlpha = 1;
        const room = Math.floor((w - 8) / this.letter);
        if (room < 3) return;
        const isDark = getTheme() === "dark";
        context.fillStyle = isDim && isDark ? "#fff" : isLight(colour) || isDim ? "#111" : "#fff";
        const text = this.label(node);
        context.save();
        context.beginPath();
        context.rect(x, y, w - 3, FLAME_ROW);
        context.clip();
        context.fillText(text.length > room + 2 ? text.slice(0, Math.max(room - 1, 1)) + "…" : text, x + 4, y + FLAME_ROW / 2);
        context.restore();
    }

    label(node) {
        const { graph } = this;
        return graph.kind[node] === 0 || graph.kind[node] === SIGN ?
            graph.name(node) + "  " + this.describe(node) : graph.name(node);
    }

    // "12.5 MiB (13,107,200), 25 %"; set by the page, which knows the unit.
    describe(node) { return String(this.graph.total[node]); }

    drawCursor(context) {
        const box = this.boxes.find(one => one.node === this.cursor);
        if (!box) return;
        context.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--select");
        context.lineWidth = 2;
        context.strokeRect(box.x + 1, this.top(box.node) + 1, Math.max(box.w - 2, 2), FLAME_ROW - 3);
    }

    // --- mouse and keys -------------------------------------------------------------

    nodeAt(event) {
        const box = this.canvas.getBoundingClientRect();
        const x = event.clientX - box.left, y = event.clientY - box.top;
        const row = Math.floor((this.isIcicle ? y : this.height - y) / FLAME_ROW);
        const hit = this.boxes.find(one => this.row(one.node) === row && x >= one.x && x < one.x + one.w);
        return hit ? hit.node : null;
    }

    listen() {
        const { canvas } = this;
        canvas.addEventListener("click", event => {
            const node = this.graph && this.nodeAt(event);
            if (node !== null && node !== undefined) this.zoomTo(node);
        });
        canvas.addEventListener("pointermove", event => this.graph && this.pointed(this.nodeAt(event), event));
        canvas.addEventListener("pointerleave", () => this.pointed(null));
        canvas.addEventListener("keydown", event => this.graph && this.key(event));
        canvas.addEventListener("focus", () => this.draw());
        canvas.addEventListener("blur", () => this.draw());
    }

    // By place: down is away from the root where that is on top.
    key(event) {
        const { graph, cursor } = this;
        if (event.ctrlKey || event.altKey || event.metaKey) return;
        const [inner, outer] = this.isIcicle ? ["ArrowDown", "ArrowUp"] : ["ArrowUp", "ArrowDown"];
        let to = cursor;
        if (event.key === "Enter") return this.zoomTo(cursor);
        if (event.key === "Escape" || event.key === "Backspace") {
            event.preventDefault();
            return this.zoomTo(event.key === "Escape" ? 0 : graph.parent[this.zoom]);
        }
        if (event.key === inner) to = graph.childrenOf(cursor)[0];
        else if (event.key === outer) to = graph.parent[cursor];
        else if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
            const siblings = cursor === 0 ? [] : graph.childrenOf(graph.parent[cursor]);
            to = siblings[siblings.indexOf(cursor) + (event.key === "ArrowRight" ? 1 : -1)];
        } else return;
        event.preventDefault();
        if (to === undefined) return;
        this.cursor = to;
        this.draw();
        this.pointed(to);
    }
}
