// The page: its controls, what they ask for, and where the answers go. What was chosen is
// in the address behind "#", so that a reload, or a copy of the address, shows the same.

const FORM_NAMES = { value: "value", delta: "change", inc: "increases", dec: "decreases" };

const byId = id => document.getElementById(id);

function getTheme() {
    const root = document.documentElement.classList;
    if (root.contains("dark") || root.contains("light")) return root.contains("dark") ? "dark" : "light";
    return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

class Page {
    constructor(profile) {
        this.profile = profile;
        this.names = profile.names;
        this.turn = 0;
        this.choice = { ...this.names.weight };
        this.roots = [...this.names.roots];
        this.isReversed = false;
        this.isIcicle = true;
        this.heatmap = new HeatmapView(byId("heatmap"), profile, range => this.takeRange(range),
            (cell, event) => this.pointCell(cell, event));
        this.flame = new FlameView(byId("flame"), (node, event) => this.pointNode(node, event), () => this.tellZoom());
        this.flame.describe = node => this.describe(node);
        this.table = new FunctionTable(byId("functions"), name => this.setSearch(name));
        this.fillControls();
        this.listen();
    }

    // --- controls -------------------------------------------------------------------

    fillControls() {
        const options = [["samples", "samples"]];
        if (BigInt(this.names.period.max) > 0n) options.push(["period", this.names.period_name]);
        this.names.metrics.forEach((metric, i) => options.push(["m" + i, metric.name]));
        byId("metric").replaceChildren(...options.map(([value, text]) => {
            const option = element("option", text);
            option.value = value;
            return option;
        }));
        byId("roots").replaceChildren(element("span", this.names.dimensions.length > 0 ? "Root frames:" : ""),
            ...this.names.dimensions.map((dimension, i) => this.rootButton(dimension.name, i)));
        this.readAddress();
        this.showControls();
    }

    rootButton(name, i) {
        const button = element("button", name);
        button.type = "button";
        button.addEventListener("click", () => {
            this.roots = this.roots.includes(i) ? this.roots.filter(one => one !== i) : [...this.roots, i];
            this.showControls();
            this.update();
        });
        return button;
    }

    showControls() {
        const { choice } = this;
        const isMetric = choice.metric !== undefined;
        byId("metric").value = isMetric ? "m" + choice.metric : choice.form;
        const forms = isMetric && this.names.metrics[choice.metric].has_delta ? ["value", "delta", "inc", "dec"] : ["value"];
        byId("form").replaceChildren(...forms.map(form => {
            const option = element("option", FORM_NAMES[form]);
            option.value = form;
            return option;
        }));
        byId("form").value = isMetric ? choice.form : "value";
        byId("form").disabled = forms.length === 1;
        [...byId("roots").querySelectorAll("button")].forEach((button, i) => {
            const place = this.roots.indexOf(i);
            button.setAttribute("aria-pressed", String(place >= 0));
            button.textContent = (place >= 0 && this.roots.length > 1 ? place + 1 + ". " : "") + this.names.dimensions[i].name;
        });
        byId("icicle").setAttribute("aria-pressed", String(this.isIcicle));
        byId("reversed").setAttribute("aria-pressed", String(this.isReversed));
    }

    listen() {
        const changed = () => {
            const metric = byId("metric").value;
            const form = byId("form").value;
            const number = Number(metric.slice(1));
            this.choice = metric.startsWith("m") ? { form, metric: number } : { form: metric };
            if (this.choice.metric !== undefined && !this.names.metrics[number].has_delta) this.choice.form = "value";
            this.showControls();
            this.update();
        };
        byId("controls").addEventListener("submit", event => event.preventDefault());
        byId("metric").addEventListener("change", changed);
        byId("form").addEventListener("change", changed);
        byId("scale").addEventListener("change", () => this.update());
        byId("whole").addEventListener("click", () => {
            this.heatmap.setRange(null);
            this.takeRange(null);
        });
        byId("search").addEventListener("input", () => this.search());
        byId("icicle").addEventListener("click", () => {
            this.flame.isIcicle = this.isIcicle = !this.isIcicle;
            this.showControls();
            this.flame.draw();
            this.flame.scrollToRoot();
            this.writeAddress();
        });
        byId("reversed").addEventListener("click", () => {
            this.isReversed = !this.isReversed;
            this.showControls();
            this.update();
        });
        byId("out").addEventListener("click", () => this.flame.zoomTo(0));
        byId("theme").addEventListener("click", () => {
            const theme = getTheme() === "dark" ? "light" : "dark";
            document.documentElement.className = theme;
            this.redraw();
        });
        matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
        let width = innerWidth;
        addEventListener("resize", () => {
            if (innerWidth === width) return;
            width = innerWidth;
            this.redraw();
        });
        addEventListener("hashchange", () => {
            if (location.hash === this.address) return;
            this.readAddress();
            this.showControls();
            this.update();
        });
        addEventListener("keydown", event => {
            if (event.key === "/" && !/^(INPUT|SELECT)$/.test(event.target.tagName)) {
                event.preventDefault();
                byId("search").focus();
            }
        });
    }

    redraw() {
        if (this.heatmap.heat) {
            this.heatmap.show(this.heatmap.heat, byId("scale").value);
            this.showLegend();
        }
        this.flame.draw();
    }

    // --- the address ----------------------------------------------------------------

    readAddress() {
        const said = new URLSearchParams(location.hash.slice(1));
        const metric = this.names.metrics.findIndex(one => one.name === said.get("metric"));
        const form = said.get("form");
        if (metric >= 0) {
            const isForm = form in FORM_NAMES && this.names.metrics[metric].has_delta;
            this.choice = { metric, form: isForm ? form : "value" };
        } else if (said.get("metric") === "samples" || said.get("metric") === "period") {
            this.choice = { form: said.get("metric") };
        }
        if (said.has("roots")) {
            this.roots = said.get("roots").split(",")
                .map(name => this.names.dimensions.findIndex(one => one.name === name)).filter(i => i >= 0);
        }
        if (said.has("scale")) byId("scale").value = said.get("scale") === "root" ? "root" : "linear";
        const range = (said.get("cells") || "").split("-").map(Number);
        const isRange = range.length === 2 && range.every(Number.isInteger) && range[0] >= 0 &&
            range[0] <= range[1] && range[1] < this.profile.cellCount;
        this.heatmap.range = isRange ? range : null;
        if (isRange) [this.heatmap.anchor, this.heatmap.cursor] = range;
        this.isReversed = said.has("callers");
        this.isIcicle = this.flame.isIcicle = !said.has("flames");
        if (said.has("search")) byId("search").value = said.get("search");
        if (said.has("theme")) document.documentElement.className = said.get("theme") === "dark" ? "dark" : "light";
    }

    writeAddress() {
        const said = new URLSearchParams();
        const { choice } = this;
        said.set("metric", choice.metric === undefined ? choice.form : this.names.metrics[choice.metric].name);
        if (choice.metric !== undefined && choice.form !== "value") said.set("form", choice.form);
        said.set("roots", this.roots.map(i => this.names.dimensions[i].name).join(","));
        if (this.heatmap.range !== null) said.set("cells", this.heatmap.range.join("-"));
        if (byId("scale").value !== "linear") said.set("scale", byId("scale").value);
        if (this.isReversed) said.set("callers", "1");
        if (!this.isIcicle) said.set("flames", "1");
        if (byId("search").value !== "") said.set("search", byId("search").value);
        this.address = "#" + said;
        try {
            history.replaceState(null, "", this.address);
        } catch { /* a browser that does not let files do this */ }
        this.address = location.hash;
    }

    // --- questions ------------------------------------------------------------------

    takeRange(range) {
        this.heatmap.range = range;
        this.update();
    }

    // Later questions overtake earlier ones.
    async update() {
        const turn = ++this.turn;
        document.body.classList.add("busy");
        try {
            // Keys and the mouse first, and what they changed meanwhile.
            await new Promise(resolve => setTimeout(resolve, 0));
            if (turn !== this.turn) return;
            const weight = await this.profile.weight(this.choice);
            if (turn !== this.turn) return;
            const key = JSON.stringify([this.choice, byId("scale").value]);
            if (key !== this.shown) {
                this.heatmap.show(this.profile.heatmap(weight), byId("scale").value);
                this.showLegend();
                this.shown = key;
            } else {
                this.heatmap.draw();
            }
            await this.showRange(weight, turn);
            if (turn === this.turn) document.body.classList.remove("busy");
        } catch (error) {
            complain(error);
        }
    }

    async showRange(weight, turn) {
        const { profile } = this;
        const range = this.heatmap.range || [0, profile.cellCount - 1];
        const first = profile.cellBegin[range[0]], end = profile.cellBegin[range[1] + 1];
        const graph = await profile.flame(weight, this.roots, first, end, this.isReversed);
        if (turn !== this.turn) return;
        this.graph = graph;
        this.flame.show(graph);
        this.search();
        const functions = profile.functions(weight, first, end);
        functions.wholes = [graph.gain, graph.drop];
        this.table.show(functions, this.names.frames, this.unit(), graph.form === "delta" ? ["+", "−"] : ["> 0", "< 0"]);
        this.tellRange(range, end - first, graph);
        this.writeAddress();
        // For tests, and for whoever asks in the console.
        this.answer = { samples: end - first, lacking: graph.lacking, gain: String(graph.gain), drop: String(graph.drop),
            nodes: graph.count, functions };
    }

    unit() {
        const { choice } = this;
        if (choice.form === "samples") return "count";
        return choice.metric === undefined ? "nanoseconds" : this.names.metrics[choice.metric].unit;
    }

    // --- answers --------------------------------------------------------------------

    timeOf(cell) {
        return cell * this.profile.cellNs / 1e9 -
            Number(BigInt(this.names.first_ns) - BigInt(this.names.begin_ns)) / 1e9;
    }

    tellRange([from, to], samples, graph) {
        const unit = this.unit();
        const sum = graph.gain - graph.drop;
        const parts = [];
        if (this.heatmap.range !== null) {
            const begin = Math.max(0, this.timeOf(from));
            const ns = (to - from + 1) * this.profile.cellNs;
            parts.push(begin.toFixed(2) + " s to " + this.timeOf(to + 1).toFixed(2) + " s (" + timeText(ns) + ")");
        } else {
            parts.push("Whole recording");
        }
        parts.push(exactText(samples) + " samples");
        if (unit !== "count" || this.choice.metric !== undefined) parts.push("sum " + valueText(sum, unit));
        if (graph.hasSigns) parts.push("+" + shortText(graph.gain, unit) + " −" + shortText(graph.drop, unit));
        if (graph.lacking > 0) parts.push(exactText(graph.lacking) + " of them without this metric");
        byId("range").textContent = parts.join(" · ");
        byId("whole").disabled = this.heatmap.range === null;
    }

    // Sizes and shares; of weights with signs the share is that of the same sign.
    describe(node) {
        const graph = this.graph, unit = this.unit();
        if (node === 0 && graph.hasSigns) {
            return "net " + valueText(graph.gain - graph.drop, unit) + " = +" + shortText(graph.gain, unit) + " − " +
                shortText(graph.drop, unit);
        }
        const falls = graph.hasSigns && graph.sign(node) === 1;
        const sign = graph.hasSigns ? falls ? "−" : "+" : "";
        const whole = graph.hasSigns ? falls ? graph.drop : graph.gain : graph.total[0];
        const share = graph.hasSigns ? " of all that " + (graph.form === "delta" ? falls ? "falls" : "rises" :
            falls ? "is negative" : "is positive") : "";
        return sign + valueText(graph.total[node], unit) + (node === 0 ? "" : ", " + percentText(graph.total[node], whole) + share);
    }

    showLegend() {
        const view = this.heatmap, unit = this.unit();
        const bar = element("i");
        const stops = [...Array(9).keys()].map(i => cssColour(cellColour(view.hasSign ? i / 4 - 1 : i / 8, view.hasSign)));
        bar.style.background = "linear-gradient(to right, " + stops.join(",") + ")";
        const low = (view.hasSign && view.isCut ? "≤ " : "") + shortText(view.hasSign ? -view.most : 0, unit);
        const high = view.isCut ? "≥ " + shortText(view.most, unit) + ", at most " + shortText(view.max, unit) :
            shortText(view.most, unit);
        const scale = view.scale === "root" ? " (square root)" : "";
        byId("legend").replaceChildren(low, bar, high + scale, element("i", undefined, "empty"),
            "no sample", element("span", "a cell is " + timeText(this.profile.cellNs * view.multiple) + ", a column " +
            timeText(this.names.column_ns * view.multiple)));
    }

    pointCell(cell) {
        const view = this.heatmap;
        if (cell === null) return;
        const at = Math.floor(cell / view.multiple);
        const unit = this.unit();
        let text = this.timeOf(cell).toFixed(2) + " s: ";
        if (view.counts[at] === 0 || view.counts[at] === undefined) text += "no sample";
        else {
            const sum = view.multiple === 1 ? view.heat.sums[cell] : view.sums[at];
            text += valueText(sum, unit) + (unit === "count" && this.choice.metric === undefined ? "" :
                ", " + exactText(view.counts[at]) + " samples");
        }
        byId("cell").textContent = text + this.clockOf(cell);
    }

    clockOf(cell) {
        const unixNs = BigInt(this.names.unix_ns);
        if (unixNs === 0n) return "";
        const date = new Date(Number(unixNs / 1000000n) + cell * this.profile.cellNs / 1e6);
        return " (" + date.toLocaleString() + ")";
    }

    pointNode(node, event) {
        const tip = byId("tip");
        if (node === null) {
            tip.hidden = true;
            return;
        }
        const graph = this.graph;
        const kind = graph.kind[node];
        const origin = kind === FRAME ? this.names.frames[graph.id[node]][1] :
            kind === CATEGORY ? this.names.dimensions[graph.dimension[node]].name : "";
        const self = graph.self[node] === graph.zero ? "" : "\nself " + valueText(graph.self[node], this.unit());
        const text = graph.name(node) + (origin ? "  (" + origin + ")" : "") + "\n" + this.describe(node) + self;
        byId("frame").textContent = text.replace(/\n/g, " · ");
        tip.hidden = !event || event.pointerType === "touch";
        if (tip.hidden) return;
        tip.textContent = text;
        const x = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 6);
        const y = event.clientY + 18 + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 10 : event.clientY + 18;
        tip.style.left = Math.max(4, x) + "px";
        tip.style.top = Math.max(4, y) + "px";
    }

    tellZoom() {
        byId("out").disabled = this.flame.zoom === 0;
        if (!this.graph) return;
        const deeper = this.graph.maxDepth - this.flame.skipped >= FLAME_MAX_ROWS ? " · zoom in to see more than " +
            FLAME_MAX_ROWS + " levels" : "";
        byId("frame").textContent = this.graph.name(this.flame.zoom) + " · " + this.describe(this.flame.zoom) + deeper;
    }

    // --- search ---------------------------------------------------------------------

    setSearch(name) {
        byId("search").value = name;
        this.search();
        this.writeAddress();
        byId("flame").scrollIntoView({ block: "nearest" });
    }

    search() {
        const text = byId("search").value;
        let pattern = null;
        try {
            const isPattern = text.length > 2 && text.startsWith("/") && text.endsWith("/");
            pattern = text === "" ? null :
                new RegExp(isPattern ? text.slice(1, -1) : text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "i");
        } catch {
            byId("found").textContent = "this is no regular expression";
            return;
        }
        this.flame.search(pattern);
        this.tellZoom();
        byId("found").textContent = this.flame.found === null ? "" : this.foundText(this.flame.found);
    }

    foundText([gain, drop]) {
        const graph = this.graph, unit = this.unit();
        const said = (value, whole) => shortText(value, unit) + ", " + percentText(value, whole);
        return graph.hasSigns ? "found +" + said(gain, graph.gain) + " · −" + said(drop, graph.drop) :
            "found " + said(gain, graph.total[0]);
    }
}

// --- the beginning ----------------------------------------------------------------------

function complain(error) {
    byId("warning").hidden = false;
    byId("warning").textContent = "This page cannot be shown: " + (error && error.message || error);
    byId("subtitle").textContent = "";
}

function factOf(names, key) {
    for (const source of names.sources) {
        for (const [one, value] of source.facts) if (one === key) return value;
    }
    return "";
}

function showTitle(names) {
    const where = factOf(names, "node") || factOf(names, "hostname");
    const when = BigInt(names.unix_ns) === 0n ? "" : new Date(Number(BigInt(names.unix_ns) / 1000000n)).toLocaleString();
    const seconds = Number(BigInt(names.last_ns) - BigInt(names.first_ns));
    byId("title").textContent = where === "" ? "flame_prof" : where;
    document.title = (where === "" ? "" : where + " · ") + "flame_prof";
    byId("subtitle").textContent = [when, timeText(seconds), exactText(names.samples) + " samples"].filter(Boolean).join(" · ");
    const { losses } = lossesOf(names);
    byId("warning").hidden = losses.length === 0;
    byId("warning").textContent = losses.slice(0, 4).join(" · ") + (losses.length > 4 ? " · and more, below" : "");
}

// A block is read once, and then forgotten.
function takeBlock(name) {
    const block = byId(name);
    if (block === null) throw new Error("the page is damaged: it has no block " + name);
    const text = block.textContent;
    block.remove();
    return text;
}

async function openPage() {
    if (typeof DecompressionStream === "undefined") throw new Error("this browser is too old (no DecompressionStream)");
    const profile = new Profile(takeBlock);
    await profile.load();
    showTitle(profile.names);
    showRecording(profile.names);
    byId("main").hidden = false;
    const page = new Page(profile);
    await page.update();
    return page;
}

const flameProf = openPage();
flameProf.catch(complain);
