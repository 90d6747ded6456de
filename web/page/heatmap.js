// The heatmap: a column of time by rows within it, the later the higher. A range is
// [first cell, last cell]. Where there are more columns than room, a column is a
// multiple of the recording's own.

const HEATMAP_MULTIPLES = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 21600, 86400];
const HEATMAP_MIN_COLUMN = 3, HEATMAP_MAX_COLUMN = 48, HEATMAP_AXIS = 18, HEATMAP_USUAL = 0.995;

class HeatmapView {
    // `changed(range)`: a range was selected, null = the whole. `pointed(cell)`.
    constructor(canvas, profile, changed, pointed) {
        this.canvas = canvas;
        this.profile = profile;
        this.changed = changed;
        this.pointed = pointed;
        this.range = null;
        this.cursor = 0;
        this.anchor = 0;
        this.listen();
    }

    show(heat, scale) {
        this.heat = heat;
        this.scale = scale;
        this.prepare();
        this.draw();
    }

    // Sums of what is drawn as one cell.
    prepare() {
        const { profile, heat } = this;
        const width = this.canvas.clientWidth || 300;
        const columns = Math.ceil(profile.cellCount / profile.rowCount);
        this.multiple = HEATMAP_MULTIPLES.find(m => Math.ceil(columns / m) * HEATMAP_MIN_COLUMN <= width) ||
            Math.ceil(columns * HEATMAP_MIN_COLUMN / width);
        this.columns = Math.ceil(columns / this.multiple);
        const cells = this.columns * profile.rowCount;
        this.sums = new Float64Array(cells);
        this.counts = new Uint32Array(cells);
        for (let cell = 0; cell < profile.cellCount; cell++) {
            const at = Math.floor(cell / this.multiple);
            this.sums[at] += Number(heat.sums[cell]);
            this.counts[at] += heat.counts[cell];
        }
        this.min = Infinity;
        this.max = -Infinity;
        for (let i = 0; i < cells; i++) {
            if (this.counts[i] > 0) {
                this.min = Math.min(this.min, this.sums[i]);
                this.max = Math.max(this.max, this.sums[i]);
            }
        }
        if (this.min > this.max) this.min = this.max = 0;
        this.hasSign = this.min < 0;
        this.limit();
    }

    // Where the colours end: at the largest cell, but a few that are far above the others
    // do not make all others the same colour.
    limit() {
        const most = Math.max(Math.abs(this.min), Math.abs(this.max));
        const sizes = this.sums.filter((_, i) => this.counts[i] > 0).map(Math.abs).sort();
        const usual = sizes.length === 0 ? 0 : sizes[Math.floor((sizes.length - 1) * HEATMAP_USUAL)];
        this.isCut = usual > 0 && most > 2 * usual;
        this.most = this.isCut ? usual : most;
    }

    // -1 to 1 with a sign: the same colour is the same size up and down.
    share(value) {
        const share = Math.max(-1, Math.min(value / (this.most || 1), 1));
        return this.scale === "root" ? Math.sign(share) * Math.sqrt(Math.abs(share)) : share;
    }

    measure() {
        const { canvas, profile } = this;
        const ratio = window.devicePixelRatio || 1;
        const width = canvas.clientWidth || 300;
        this.columnWidth = Math.min(width / this.columns, HEATMAP_MAX_COLUMN);
        this.rowHeight = Math.max(2, Math.min(6, Math.round(260 / profile.rowCount)));
        const height = this.rowHeight * profile.rowCount + HEATMAP_AXIS;
        canvas.style.height = height + "px";
        canvas.width = Math.round(width * ratio);
        canvas.height = Math.round(height * ratio);
        const context = canvas.getContext("2d");
        context.setTransform(ratio, 0, 0, ratio, 0, 0);
        return context;
    }

    draw() {
        const context = this.measure();
        const style = getComputedStyle(document.documentElement);
        const rows = this.profile.rowCount;
        context.fillStyle = style.getPropertyValue("--empty");
        context.fillRect(0, 0, this.columnWidth * this.columns, rows * this.rowHeight);
        context.imageSmoothingEnabled = false;
        context.drawImage(this.image(), 0, 0, this.columns, rows, 0, 0,
            this.columnWidth * this.columns, rows * this.rowHeight);
        this.drawAxis(context, style);
        this.drawRange(context, style);
    }

    image() {
        const rows = this.profile.rowCount;
        const canvas = document.createElement("canvas");
        canvas.width = this.columns;
        canvas.height = rows;
        const context = canvas.getContext("2d");
        const image = context.createImageData(this.columns, rows);
        for (let i = 0; i < this.sums.length; i++) {
            if (this.counts[i] === 0) continue;
            const at = 4 * ((rows - 1 - i % rows) * this.columns + Math.floor(i / rows));
            const colour = cellColour(this.share(this.sums[i]), this.hasSign);
            image.data.set(colour, at);
            image.data[at + 3] = 255;
        }
        context.putImageData(image, 0, 0);
        return canvas;
    }

    drawAxis(context, style) {
        const columnS = this.profile.names.column_ns / 1e9 * this.multiple;
        const top = this.profile.rowCount * this.rowHeight;
        const every = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 21600, 86400, 604800]
            .map(s => Math.max(1, Math.round(s / columnS)))
            .find(columns => columns * this.columnWidth >= 60) || this.columns;
        context.fillStyle = style.getPropertyValue("--soft");
        context.font = "11px system-ui, sans-serif";
        context.textBaseline = "top";
        for (let column = 0; column < this.columns; column += every) {
            const x = Math.round(column * this.columnWidth);
            context.fillRect(x, top, 1, 4);
            context.fillText(clockText(column * columnS), x + 3, top + 4);
        }
    }

    // From the first to the last cell of it, column by column.
    drawRange(context, style) {
        const height = this.profile.rowCount * this.rowHeight;
        if (this.range !== null) {
            context.fillStyle = style.getPropertyValue("--back");
            context.globalAlpha = 0.62;
            this.fillCells(context, 0, this.range[0] - 1);
            this.fillCells(context, this.range[1] + 1, this.columns * this.profile.rowCount * this.multiple - 1);
            context.globalAlpha = 1;
            context.fillStyle = style.getPropertyValue("--select");
            const [x0] = this.placeOf(this.range[0]), [x1] = this.placeOf(this.range[1]);
            context.fillRect(x0, height, Math.max(x1 + this.columnWidth - x0, 2), 3);
        }
        if (document.activeElement === this.canvas) {
            const [x, y] = this.placeOf(this.cursor);
            context.strokeStyle = style.getPropertyValue("--select");
            context.lineWidth = 2;
            context.strokeRect(x - 1, y - 1, Math.max(this.columnWidth, 3) + 2, this.rowHeight + 2);
        }
    }

    placeOf(cell) {
        const at = Math.floor(cell / this.multiple), rows = this.profile.rowCount;
        return [Math.floor(at / rows) * this.columnWidth, (rows - 1 - at % rows) * this.rowHeight];
    }

    fillCells(context, first, last) {
        const rows = this.profile.rowCount, h = this.rowHeight, w = this.columnWidth;
        if (last < first) return;
        const a = Math.floor(first / this.multiple), b = Math.floor(last / this.multiple);
        const fill = (column, low, high) => context.fillRect(column * w, (rows - 1 - high) * h, w, (high - low + 1) * h);
        const from = Math.floor(a / rows), to = Math.floor(b / rows);
        if (from === to) return fill(from, a % rows, b % rows);
        fill(from, a % rows, rows - 1);
        context.fillRect((from + 1) * w, 0, (to - from - 1) * w, rows * h);
        fill(to, 0, b % rows);
    }

    // --- mouse and keys -------------------------------------------------------------

    cellAt(event) {
        const box = this.canvas.getBoundingClientRect();
        const rows = this.profile.rowCount;
        const column = Math.floor((event.clientX - box.left) / this.columnWidth);
        const row = rows - 1 - Math.floor((event.clientY - box.top) / this.rowHeight);
        const at = Math.max(0, Math.min(column, this.columns - 1)) * rows + Math.max(0, Math.min(row, rows - 1));
        return this.clamp(at * this.multiple);
    }

    clamp(cell) {
        return Math.max(0, Math.min(cell, this.profile.cellCount - 1));
    }

    // All the recording's cells that are drawn as the two, and between.
    select(a, b) {
        const unit = this.multiple;
        const first = Math.floor(Math.min(a, b) / unit) * unit;
        const last = this.clamp(Math.floor(Math.max(a, b) / unit) * unit + unit - 1);
        this.range = [first, last];
        this.draw();
    }

    setRange(range) {
        this.range = range;
        if (range !== null) [this.anchor, this.cursor] = range;
        this.draw();
    }

    listen() {
        const { canvas } = this;
        let isDown = false;
        canvas.addEventListener("pointerdown", event => {
            if (event.button !== 0 || !this.heat) return;
            canvas.focus({ preventScroll: true });
            canvas.setPointerCapture(event.pointerId);
            isDown = true;
            if (!event.shiftKey) this.anchor = this.cellAt(event);
            this.cursor = this.cellAt(event);
            this.select(this.anchor, this.cursor);
        });
        canvas.addEventListener("pointermove", event => {
            if (!this.heat) return;
            this.pointed(this.cellAt(event), event);
            if (isDown) {
                this.cursor = this.cellAt(event);
                this.select(this.anchor, this.cursor);
            }
        });
        canvas.addEventListener("pointerup", () => {
            if (isDown) this.changed(this.range);
            isDown = false;
        });
        canvas.addEventListener("pointercancel", () => { isDown = false; });
        canvas.addEventListener("pointerleave", () => this.pointed(null));
        canvas.addEventListener("keydown", event => this.key(event));
        canvas.addEventListener("focus", () => this.heat && this.draw());
        canvas.addEventListener("blur", () => this.heat && this.draw());
    }

    key(event) {
        const column = this.profile.rowCount * this.multiple;
        const steps = { ArrowRight: column, ArrowLeft: -column, ArrowUp: this.multiple, ArrowDown: -this.multiple,
            PageUp: 10 * column, PageDown: -10 * column, End: Infinity, Home: -Infinity };
        if (event.key === "Escape") {
            this.setRange(null);
            this.changed(null);
        } else if (event.key in steps && !event.ctrlKey && !event.altKey && !event.metaKey) {
            this.cursor = this.clamp(this.cursor + steps[event.key]);
            if (!event.shiftKey) this.anchor = this.cursor;
            this.select(this.anchor, this.cursor);
            this.changed(this.range);
            this.pointed(this.cursor);
        } else {
            return;
        }
        event.preventDefault();
    }
}

// Seconds since the beginning, as on a clock.
function clockText(seconds) {
    const whole = Math.floor(seconds + 1e-9);
    const two = value => String(value).padStart(2, "0");
    const rest = seconds - whole;
    const tail = rest > 1e-6 ? rest.toFixed(3).slice(1).replace(/0+$/, "") : "";
    if (whole < 60) return whole + tail + " s";
    if (whole < 3600) return Math.floor(whole / 60) + ":" + two(whole % 60) + tail;
    return Math.floor(whole / 3600) + ":" + two(Math.floor(whole / 60) % 60) + ":" + two(whole % 60) + tail;
}
