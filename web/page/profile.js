// The samples of the page, and the questions to them.

const SIGN = 1, CATEGORY = 2, FRAME = 3; // kinds of nodes of a flame graph; 0 is the root

// A table of pairs of numbers below 2^32: each has an index, in the order they came.
class PairTable {
    constructor() {
        this.count = 0;
        this.first = new Uint32Array(1024);
        this.second = new Uint32Array(1024);
        this.slots = new Int32Array(4096).fill(-1);
    }
    add(a, b) {
        const mask = this.slots.length - 1;
        let slot = hashOf(a, b) & mask;
        for (let i; (i = this.slots[slot]) >= 0; slot = slot + 1 & mask) {
            if (this.first[i] === a && this.second[i] === b) return i;
        }
        if (this.count === this.first.length) return this.grow().add(a, b);
        this.slots[slot] = this.count;
        this.first[this.count] = a;
        this.second[this.count] = b;
        return this.count++;
    }
    grow() {
        this.first = grown(this.first);
        this.second = grown(this.second);
        this.slots = new Int32Array(this.slots.length * 2).fill(-1);
        const mask = this.slots.length - 1;
        for (let i = 0; i < this.count; i++) {
            let slot = hashOf(this.first[i], this.second[i]) & mask;
            while (this.slots[slot] >= 0) slot = slot + 1 & mask;
            this.slots[slot] = i;
        }
        return this;
    }
}

function hashOf(a, b) {
    let hash = Math.imul(a ^ Math.imul(b, 0x9e3779b1), 0x85ebca6b);
    hash ^= hash >>> 15;
    return Math.imul(hash, 0xc2b2ae35) ^ hash >>> 13;
}

function grown(array) {
    const larger = new array.constructor(array.length * 2);
    larger.set(array);
    return larger;
}

// Sums of numbers, or of 64-bit numbers where those of the column may not fit a double.
function sumsFor(weight, count) {
    return weight.isWide ? new BigInt64Array(count) : new Float64Array(count);
}

class Profile {
    // `blocks`: the text of a block by name.
    constructor(blocks) {
        this.blocks = blocks;
        this.columns = new Map();
    }

    async block(name) {
        return inflate(bytesOfText(this.blocks(name)));
    }

    async load() {
        this.names = JSON.parse(new TextDecoder().decode(await this.block("names")));
        const { samples, cell_cnt: cellCount, row_cnt: rowCount } = this.names;
        if (this.names.version !== 1) throw new Error("a page of a later version");
        this.count = samples;
        this.rowCount = rowCount;
        this.cellNs = this.names.column_ns / rowCount;
        this.cellBegin = decodeCells(await this.block("cells"), cellCount);
        this.cellCount = this.cellBegin.length - 1;
        await this.loadStacks();
        if (this.names.key >= 0) this.keys = await this.codes(this.names.key);
        this.stackOf = codesFor(this.names.stack_cnt, this.count);
        decodeColumn(await this.block("stack"), this.stackOf, this.spec({}));
        this.keys = this.keys || this.stackOf;
    }

    async loadStacks() {
        const nodes = new NumberReader(await this.block("nodes"), 0);
        const stacks = new NumberReader(await this.block("stacks"), 0);
        this.parent = new Uint32Array(this.names.node_cnt);
        this.frame = new Uint32Array(this.names.node_cnt);
        for (let i = 1; i < this.parent.length; i++) {
            this.parent[i] = i - nodes.unsigned();
            this.frame[i] = nodes.unsigned();
        }
        this.stacks = new Uint32Array(this.names.stack_cnt);
        for (let i = 0; i < this.stacks.length; i++) this.stacks[i] = stacks.unsigned();
    }

    spec(more) {
        return { keys: this.keys, keyCount: this.names.key_cnt, cellBegin: this.cellBegin, ...more };
    }

    // Columns are decoded when they are asked for, once.
    column(name, make) {
        if (!this.columns.has(name)) this.columns.set(name, make());
        return this.columns.get(name);
    }

    codes(dimension) {
        const valueCount = this.names.dimensions[dimension].values.length;
        return this.column("dimension" + dimension, async () => {
            const rows = codesFor(valueCount, this.count);
            decodeColumn(await this.block("dimension" + dimension), rows, this.spec({ valueCount }));
            return rows;
        });
    }

    numbers(name, facts, spec) {
        return this.column(name, async () => {
            const rows = arrayFor(facts, this.count);
            decodeColumn(await this.block(name), rows, this.spec({ wide: facts.wide, ...spec }));
            checkSum(name, rows, facts);
            return rows;
        });
    }

    async present(metric) {
        if (!this.names.metrics[metric].is_partial) return null;
        return this.column("present" + metric, async () => {
            const rows = new Uint8Array(this.count);
            decodeColumn(await this.block("present" + metric), rows, this.spec({}));
            return rows;
        });
    }

    delta(metric, present) {
        return this.numbers("delta" + metric, this.names.metrics[metric].delta, { present });
    }

    // What a sample counts for. `choice`: {form, metric}, as in the names.
    async weight(choice) {
        if (choice.form === "samples") return { form: "samples", rows: null, present: null, isWide: false };
        if (choice.form === "period") {
            const rows = await this.numbers("period", this.names.period, {});
            return { form: "value", rows, present: null, isWide: this.names.period.wide };
        }
        const metric = this.names.metrics[choice.metric];
        const present = await this.present(choice.metric);
        const gains = metric.has_delta ? await this.delta(choice.metric, present) : null;
        if (choice.form !== "value") {
            return { form: choice.form, rows: gains, present, isWide: metric.delta.wide };
        }
        const rows = await this.numbers("value" + choice.metric, metric.value, { present, gains });
        return { form: "value", rows, present, isWide: metric.value.wide };
    }

    // --- answers ------------------------------------------------------------------

    // Sum and number of samples of each cell; a cell without samples has no sum.
    heatmap(weight) {
        const counts = new Uint32Array(this.cellCount);
        const sums = sumsFor(weight, this.cellCount);
        const { rows, present } = weight;
        const takes = signsOf(weight);
        for (let cell = 0; cell < this.cellCount; cell++) {
            const end = this.cellBegin[cell + 1];
            let sum = sums[cell], count = 0;
            for (let i = this.cellBegin[cell]; i < end; i++) {
                if (present !== null && present[i] === 0) continue;
                count++;
                if (rows === null) sum++;
                else if (rows[i] > 0 ? takes.gains : takes.drops) sum += rows[i];
            }
            counts[cell] = count;
            sums[cell] = takes.isMinus ? -sum : sum;
        }
        return { sums, counts };
    }

    // The combination of categories of each row from `first` on, as an index into `codes`.
    async groups(dimensions, first, end) {
        let count = 1;
        let groupOf = null;
        const levels = [];
        for (const dimension of dimensions) {
            const codes = await this.codes(dimension);
            const table = new PairTable();
            const next = new Uint32Array(end - first);
            for (let i = first; i < end; i++) {
                next[i - first] = table.add(groupOf === null ? 0 : groupOf[i - first], codes[i]);
            }
            levels.push(table);
            groupOf = next;
            count = table.count;
        }
        return { groupOf, count, levels };
    }

    // Weights by stack and group, those above and those below zero apart.
    sums(weight, groups, first, end) {
        const pairs = groups.groupOf === null ? null : new PairTable();
        let capacity = pairs === null ? this.stacks.length : pairs.first.length;
        let gains = sumsFor(weight, capacity), drops = sumsFor(weight, capacity);
        const { rows, present } = weight;
        const takes = signsOf(weight);
        let lacking = 0;
        for (let i = first; i < end; i++) {
            if (present !== null && present[i] === 0) {
                lacking++;
                continue;
            }
            const stack = this.stackOf[i];
            const at = pairs === null ? stack : pairs.add(groups.groupOf[i - first], stack);
            if (at >= gains.length) {
                gains = grown(gains);
                drops = grown(drops);
            }
            if (rows === null) gains[at]++;
            else if (rows[i] > 0) { if (takes.gains) gains[at] += rows[i]; }
            else if (takes.drops) drops[at] -= rows[i];
        }
        // What only falls is told as how much it falls.
        if (takes.isMinus) [gains, drops] = [drops, gains];
        return { pairs, gains, drops, lacking };
    }

    // The codes of a group, outermost first.
    codesOfGroup(groups, group) {
        const codes = [];
        for (let level = groups.levels.length - 1; level >= 0; level--) {
            codes[level] = groups.levels[level].second[group];
            group = groups.levels[level].first[group];
        }
        return codes;
    }

    async flame(weight, dimensions, first, end, isReversed) {
        const groups = await this.groups(dimensions, first, end);
        const sums = this.sums(weight, groups, first, end);
        return new FlameGraph(this, dimensions, groups, sums, weight, isReversed);
    }

    // Own weight and weight with what is called, by function.
    functions(weight, first, end) {
        const sums = this.sums(weight, { groupOf: null }, first, end);
        const frameCount = this.names.frames.length;
        const table = { self: [], total: [], first: this.firstOfFunction(), sums };
        for (const side of [sums.gains, sums.drops]) {
            const totals = sumsFor(weight, this.parent.length);
            const self = sumsFor(weight, frameCount), total = sumsFor(weight, frameCount);
            for (let i = 0; i < side.length; i++) totals[this.stacks[i]] += side[i];
            for (let node = this.parent.length - 1; node > 0; node--) {
                const frame = this.frame[node];
                self[frame] += totals[node];
            }
            // Sum up to the root; a function that calls itself counts once.
            for (let node = this.parent.length - 1; node > 0; node--) {
                totals[this.parent[node]] += totals[node];
                if (table.first[node]) total[this.frame[node]] += totals[node];
            }
            table.self.push(self);
            table.total.push(total);
        }
        return table;
    }

    // Whether no node between it and the root is the same function.
    firstOfFunction() {
        if (this.first) return this.first;
        const count = this.parent.length;
        const begin = new Uint32Array(count + 2), children = new Uint32Array(count);
        for (let node = 1; node < count; node++) begin[this.parent[node] + 2]++;
        for (let node = 2; node < count + 2; node++) begin[node] += begin[node - 1];
        for (let node = 1; node < count; node++) children[begin[this.parent[node] + 1]++] = node;
        this.first = new Uint8Array(count);
        const onPath = new Uint32Array(this.names.frames.length);
        const next = begin.slice(); // the child to visit
        for (let node = 0; ;) {
            if (next[node] < begin[node + 1]) {
                node = children[next[node]++];
                this.first[node] = onPath[this.frame[node]]++ === 0 ? 1 : 0;
            } else if (node === 0) {
                return this.first;
            } else {
                onPath[this.frame[node]]--;
                node = this.parent[node];
            }
        }
    }
}

// Which weights a form takes, and whether it tells their size.
function signsOf(weight) {
    return { gains: weight.form !== "dec", drops: weight.form !== "inc", isMinus: weight.form === "dec" };
}

// What was decoded must be what was written.
function checkSum(name, rows, facts) {
    let sum = facts.wide ? 0n : 0;
    for (let i = 0; i < rows.length; i++) sum += rows[i];
    if (BigInt.asIntN(64, BigInt(sum)) !== BigInt(facts.sum)) {
        throw new Error("the page is damaged: the sum of " + name + " is " + sum + ", not " + facts.sum);
    }
}

// --- flame graph --------------------------------------------------------------------

// Nodes as columns, a parent before its children; node 0 is the root, whose total is the
// sum of all sizes, of what rises and of what falls.
class FlameGraph {
    constructor(profile, dimensions, groups, sums, weight, isReversed) {
        const { isWide } = weight;
        this.profile = profile;
        this.form = weight.form;
        this.dimensions = dimensions;
        this.lacking = sums.lacking;
        this.zero = isWide ? 0n : 0;
        this.count = 0;
        this.table = new PairTable();
        this.parent = new Uint32Array(1024);
        this.kind = new Uint8Array(1024);
        this.dimension = new Uint8Array(1024);
        this.id = new Uint32Array(1024);
        this.self = isWide ? new BigInt64Array(1024) : new Float64Array(1024);
        this.add(0, 0, 0, 0);
        this.hasSigns = sums.drops.some(drop => drop !== this.zero);
        this.gain = this.grow(groups, sums, sums.gains, 0, isReversed);
        this.drop = this.hasSigns ? this.grow(groups, sums, sums.drops, 1, isReversed) : this.zero;
        this.sumUp();
        this.layOut();
        delete this.table;
    }

    add(parent, kind, dimension, id) {
        if (this.count === this.parent.length) {
            for (const column of ["parent", "kind", "dimension", "id", "self"]) this[column] = grown(this[column]);
        }
        this.parent[this.count] = parent;
        this.kind[this.count] = kind;
        this.dimension[this.count] = dimension;
        this.id[this.count] = id;
        return this.count++;
    }

    // The child of a node by a number that tells it from its siblings.
    child(parent, key, kind, dimension, id) {
        const at = this.table.add(parent, key);
        return at + 1 < this.count ? at + 1 : this.add(parent, kind, dimension, id);
    }

    // Keys: frames come last, behind the signs and the codes of all dimensions.
    grow(groups, sums, side, sign, isReversed) {
        const profile = this.profile;
        const offsets = [2];
        for (const dimension of this.dimensions) {
            offsets.push(offsets[offsets.length - 1] + profile.names.dimensions[dimension].values.length);
        }
        const frames = offsets[offsets.length - 1];
        const count = sums.pairs === null ? profile.stacks.length : sums.pairs.count;
        const tops = [];
        const path = [];
        let whole = this.zero;
        for (let i = 0; i < count; i++) {
            if (side[i] === this.zero) continue;
            const group = sums.pairs === null ? 0 : sums.pairs.first[i];
            if (tops[group] === undefined) tops[group] = this.top(groups, group, sign, offsets);
            let at = tops[group];
            path.length = 0;
            for (let node = profile.stacks[sums.pairs === null ? i : sums.pairs.second[i]]; node !== 0;
                 node = profile.parent[node]) {
                path.push(profile.frame[node]);
            }
            if (!isReversed) path.reverse();
            for (const frame of path) at = this.child(at, frames + frame, FRAME, 0, frame);
            this.self[at] += side[i];
            whole += side[i];
        }
        return whole;
    }

    // The node under which the stacks of a group grow.
    top(groups, group, sign, offsets) {
        let at = 0;
        if (this.hasSigns) at = this.child(at, sign, SIGN, 0, sign);
        this.profile.codesOfGroup(groups, group).forEach((code, level) => {
            if (code !== 0) at = this.child(at, offsets[level] + code, CATEGORY, this.dimensions[level], code);
        });
        return at;
    }

    sumUp() {
        this.total = this.self.slice(0, this.count);
        for (let node = this.count - 1; node > 0; node--) this.total[this.parent[node]] += this.total[node];
    }

    // Children, the largest first, and where each node begins, in parts of the root.
    layOut() {
        const count = this.count;
        this.size = Float64Array.from(this.total, Number);
        this.childBegin = new Uint32Array(count + 2);
        for (let node = 1; node < count; node++) this.childBegin[this.parent[node] + 2]++;
        for (let node = 2; node < count + 2; node++) this.childBegin[node] += this.childBegin[node - 1];
        this.children = new Uint32Array(count);
        for (let node = 1; node < count; node++) this.children[this.childBegin[this.parent[node] + 1]++] = node;
        this.begin = new Float64Array(count);
        this.depth = new Uint16Array(count);
        this.maxDepth = 0;
        for (let node = 0; node < count; node++) {
            const children = this.childrenOf(node);
            if (children.length > 1 && this.kind[children[0]] !== SIGN) {
                children.sort((a, b) => this.size[b] - this.size[a] || a - b);
            }
            let begin = this.begin[node];
            for (const child of children) {
                this.begin[child] = begin;
                this.depth[child] = this.depth[node] + 1;
                begin += this.size[child];
            }
            this.maxDepth = Math.max(this.maxDepth, this.depth[node]);
        }
    }

    childrenOf(node) {
        return this.children.subarray(this.childBegin[node], this.childBegin[node + 1]);
    }

    name(node) {
        const { names } = this.profile;
        switch (this.kind[node]) {
        case SIGN: return (this.form === "delta" ? ["increases", "decreases"] : ["positive", "negative"])[this.id[node]];
        case CATEGORY: return names.dimensions[this.dimension[node]].values[this.id[node]];
        case FRAME: return frameText(names.frames[this.id[node]]);
        default: return "all";
        }
    }

    // 1 in what falls, 0 elsewhere.
    sign(node) {
        while (this.kind[node] !== SIGN && node !== 0) node = this.parent[node];
        return node === 0 ? 0 : this.id[node];
    }
}

function frameText(frame) {
    return frame[3] > 0 ? frame[0] + ":" + frame[3] : frame[0];
}
