// Numbers as text. All take numbers and 64-bit numbers.

function exactText(value) {
    return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

function scaled(value, units, step) {
    let i = 0;
    while (Math.abs(value) >= step * 0.9995 && i < units.length - 1) {
        value /= step;
        i++;
    }
    const digits = i === 0 && Number.isInteger(value) ? 0 : Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0;
    return value.toFixed(digits) + units[i];
}

// Three digits and a unit: "1.25 MiB".
function shortText(value, unit) {
    const number = Number(value);
    switch (unit) {
    case "nanoseconds": return timeText(number);
    case "bytes": return scaled(number, [" B", " KiB", " MiB", " GiB", " TiB", " PiB"], 1024);
    case "count": case "": return Math.abs(number) < 1e5 ? exactText(value) : scaled(number, ["", " k", " M", " G", " T", " P"], 1000);
    default: return scaled(number, ["", " k", " M", " G", " T", " P"], 1000) + " " + unit;
    }
}

function timeText(ns) {
    if (Math.abs(ns) >= 3.6e12) return scaled(ns / 3.6e12, [" h"], 1e9);
    if (Math.abs(ns) >= 6e10) return scaled(ns / 6e10, [" min"], 1e9);
    return scaled(ns, [" ns", " µs", " ms", " s"], 1000);
}

// With its sign, and exactly where that says more.
function valueText(value, unit) {
    const short = shortText(value, unit);
    const exact = exactText(value);
    return short === exact ? exact : short + " (" + exact + ")";
}

function percentText(part, whole) {
    const share = Number(whole) === 0 ? 0 : 100 * Number(part) / Number(whole);
    return (share >= 99.95 || share === 0 ? share.toFixed(0) : share < 0.1 ? share.toPrecision(1) : share.toFixed(1)) + " %";
}
