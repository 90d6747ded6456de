// Colours that people with any kind of colour vision tell apart: cividis for what has no
// sign, blue - white - orange for what has (as in c_src/export/palette.c).

const CIVIDIS = [[0, 32, 76], [0, 52, 110], [57, 72, 107], [87, 92, 109], [112, 113, 115],
    [138, 134, 120], [166, 157, 117], [197, 181, 108], [255, 234, 70]];
const SIGNED = [[5, 113, 176], [146, 197, 222], [247, 247, 247], [253, 184, 99], [230, 97, 1]];

// `share` 0 to 1 along the colours.
function along(colours, share) {
    const place = Math.min(Math.max(share, 0), 1) * (colours.length - 1);
    const from = Math.min(Math.floor(place), colours.length - 2);
    return colours[from].map((value, i) => Math.round(value + (colours[from + 1][i] - value) * (place - from)));
}

// -1 to 1 where there is a sign, else 0 to 1.
function cellColour(share, hasSign) {
    return hasSign ? along(SIGNED, (share + 1) / 2) : along(CIVIDIS, share);
}

function cssColour(colour) {
    return "rgb(" + colour.join(",") + ")";
}

function isLight(colour) {
    return 299 * colour[0] + 587 * colour[1] + 114 * colour[2] > 128000;
}

function hashOfText(text) {
    let hash = 2166136261;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
    return (hash ^ hash >>> 15) >>> 0;
}

// By kind of frame: unknown, native, kernel, beam, jit, inlined, note. What falls is blue,
// categories are grey-blue.
const KINDS = [[186, 186, 186], [230, 190, 80], [196, 156, 200], [238, 146, 64], [120, 190, 160],
    [238, 206, 120], [200, 200, 205]];

function nodeColour(graph, node, isFalling) {
    if (graph.kind[node] === 0) return [200, 204, 210];
    if (graph.kind[node] === SIGN) return graph.id[node] === 0 ? SIGNED[3] : SIGNED[1];
    const hash = hashOfText(graph.name(node));
    const shift = hash % 31 - 15;
    const base = graph.kind[node] === CATEGORY ? [156, 178, 204] :
        isFalling ? [126, 178, 214] : KINDS[graph.profile.names.frames[graph.id[node]][2]] || KINDS[0];
    return base.map(value => Math.max(0, Math.min(255, value + shift)));
}
