// Tables, which say in text what the pictures show.

const TABLE_ROWS = 30;

function element(tag, text, className) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
}

class FunctionTable {
    // `chosen(name)`: a function was clicked.
    constructor(table, chosen) {
        this.table = table;
        this.chosen = chosen;
        this.order = "self";
    }

    // `functions`: of Profile.functions. Weights of both signs have columns of their own.
    show(functions, frames, unit, signNames) {
        this.functions = functions;
        this.frames = frames;
        this.unit = unit;
        const hasDrops = functions.self[1].some(Number) || functions.total[1].some(Number);
        this.sides = hasDrops ? [0, 1] : [0];
        this.signNames = signNames;
        this.draw();
    }

    size(column, frame) {
        return this.sides.reduce((sum, side) => sum + Number(this.functions[column][side][frame]), 0);
    }

    draw() {
        const { functions, frames } = this;
        const sizes = frames.map((_, frame) => this.size(this.order, frame));
        const others = frames.map((_, frame) => this.size(this.order === "self" ? "total" : "self", frame));
        const top = [...frames.keys()].filter(frame => sizes[frame] > 0)
            .sort((a, b) => sizes[b] - sizes[a] || others[b] - others[a] || a - b).slice(0, TABLE_ROWS);
        const wholes = this.sides.map(side => functions.wholes[side]);
        const head = element("tr");
        for (const column of ["self", "total"]) {
            for (const side of this.sides) head.append(this.heading(column, side));
        }
        head.append(element("th", "", "share"), element("th", "function"));
        const body = top.map(frame => {
            const row = element("tr");
            for (const column of ["self", "total"]) {
                for (const side of this.sides) row.append(this.number(functions[column][side][frame], wholes[side]));
            }
            row.append(this.bar(sizes[frame] / (sizes[top[0]] || 1)), this.name(frames[frame]));
            return row;
        });
        if (body.length === 0) {
            const row = element("tr");
            const cell = element("td", "no function has any weight in this range");
            cell.colSpan = 2 * this.sides.length + 2;
            row.append(cell);
            body.push(row);
        }
        const thead = element("thead"), tbody = element("tbody");
        thead.append(head);
        tbody.append(...body);
        this.table.replaceChildren(thead, tbody);
    }

    heading(column, side) {
        const heading = element("th", undefined, "number");
        const button = element("button", column + (this.sides.length > 1 ? " " + this.signNames[side] : ""));
        button.type = "button";
        button.addEventListener("click", () => {
            this.order = column;
            this.draw();
        });
        if (this.order === column) heading.setAttribute("aria-sort", "descending");
        heading.append(button);
        return heading;
    }

    number(value, whole) {
        const cell = element("td", shortText(value, this.unit) + "  " + percentText(value, whole), "number");
        cell.title = exactText(value);
        return cell;
    }

    bar(share) {
        const cell = element("td", undefined, "share");
        const bar = element("i");
        bar.style.width = Math.max(1, 100 * share) + "%";
        cell.append(bar);
        return cell;
    }

    name(frame) {
        const cell = element("td", undefined, "name");
        const button = element("button", frameText(frame));
        button.type = "button";
        button.title = "mark it in the flame graph";
        button.addEventListener("click", () => this.chosen(frame[0]));
        cell.append(button);
        if (frame[1] !== "") cell.append(" ", element("small", frame[1]));
        return cell;
    }
}

// --- the recording --------------------------------------------------------------------

// What was lost, in words; facts "loss ring_full: 12" come with the data.
function lossesOf(names) {
    const losses = [];
    let hasFacts = false;
    names.sources.forEach((source, i) => {
        const where = names.sources.length > 1 ? " (" + (source.name || "source " + (i + 1)) + ")" : "";
        for (const [key, value] of source.facts) {
            const isLoss = /^(loss|degraded|lost)[ _]/.test(key);
            hasFacts = hasFacts || isLoss;
            if (isLoss && /[1-9]/.test(value)) losses.push(key.replace(/_/g, " ") + ": " + value + where);
        }
        if (source.is_incomplete) losses.push("the recording has no end: it was cut off" + where);
    });
    const said = [["malformed_cnt", "lines of the file could not be read"],
        ["dropped_cnt", "frames, metrics or categories beyond a limit were dropped"],
        ["refused_cnt", "samples or names did not fit in memory"]];
    for (const [key, text] of said) {
        if (names[key] > 0) losses.push(exactText(names[key]) + " " + text);
    }
    return { losses, hasFacts };
}

function showRecording(names) {
    const { losses, hasFacts } = lossesOf(names);
    const box = document.getElementById("losses");
    if (losses.length > 0) {
        box.append(element("p", "Lost, or less than whole:"));
        const list = element("ul");
        list.append(...losses.map(loss => element("li", loss)));
        box.append(list);
    } else {
        box.append(element("p", hasFacts ? "Nothing was lost." : "The file does not say whether anything was lost."));
    }
    if (names.samples < names.samples_of_file) {
        box.append(element("p", "This page has " + exactText(names.samples) + " of the file's " +
            exactText(names.samples_of_file) + " samples: those that were asked for."));
    }
    const table = document.getElementById("factTable");
    const rows = [["written by", names.writer], ["samples", exactText(names.samples)],
        ["time", "to " + timeText(names.column_ns / names.row_cnt)]];
    names.sources.forEach(source => {
        if (source.name !== "") rows.push(["file", source.name]);
        rows.push(...source.facts);
    });
    table.replaceChildren(...rows.map(([key, value]) => {
        const row = element("tr");
        row.append(element("td", key), element("td", value));
        return row;
    }));
}
