"use strict";
// What is written in the page, as numbers again. docs/html.md describes it.

const SAME = 0, PLAIN = 1, STEPS = 2, OWN = 3, OWN_STEPS = 4, NEXT = 5, GAINED = 6, SORTED = 7;
const ESCAPED = [0, 13, 60, 127];

// Seven bits a character; DEL is followed by the number of one that cannot stand here.
function bytesOfText(text) {
    const bytes = new Uint8Array(Math.ceil(text.length * 7 / 8));
    let bits = 0, bitCount = 0, count = 0;
    for (let i = 0; i < text.length; i++) {
        let seven = text.charCodeAt(i);
        if (seven === 127) seven = ESCAPED[text.charCodeAt(++i) - 97];
        bits = bits << 7 | seven;
        bitCount += 7;
        if (bitCount >= 8) {
            bitCount -= 8;
            bytes[count++] = bits >>> bitCount;
        }
    }
    return bytes.subarray(0, count);
}

async function inflate(bytes) {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Numbers of seven bits a byte, the lowest first. `signed`: 0, -1, 1, -2...
class NumberReader {
    constructor(bytes, at) { this.bytes = bytes; this.at = at; }
    unsigned() {
        let byte = this.bytes[this.at++];
        if (byte < 128) return byte;
        let value = byte & 127, unit = 128;
        do {
            byte = this.bytes[this.at++];
            value += (byte & 127) * unit;
            unit *= 128;
        } while (byte > 127);
        return value;
    }
    signed() {
        const value = this.unsigned();
        return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
}

// The same with all 64 bits.
class BigReader extends NumberReader {
    signed() {
        let value = 0n, shift = 0n, byte;
        do {
            byte = this.bytes[this.at++];
            value |= BigInt(byte & 127) << shift;
            shift += 7n;
        } while (byte > 127);
        return value >> 1n ^ -(value & 1n);
    }
}

// The narrowest array for a column of numbers.
function arrayFor(column, count) {
    if (column.wide) return new BigInt64Array(count);
    const min = Number(column.min), max = Number(column.max);
    if (min >= -128 && max <= 127) return new Int8Array(count);
    if (min >= -32768 && max <= 32767) return new Int16Array(count);
    if (min >= -2147483648 && max <= 2147483647) return new Int32Array(count);
    return new Float64Array(count);
}

function codesFor(valueCount, count) {
    return valueCount <= 256 ? new Uint8Array(count) :
        valueCount <= 65536 ? new Uint16Array(count) : new Uint32Array(count);
}

// Fills `rows`. `spec`: keys, keyCount, gains, present, cellBegin, valueCount, wide: what its way
// of writing needs. Rows that are not `present` stay 0.
function decodeColumn(bytes, rows, spec) {
    const reader = spec.wide ? new BigReader(bytes, 1) : new NumberReader(bytes, 1);
    const present = spec.present;
    const zero = spec.wide ? 0n : 0;
    const encoding = bytes[0];
    if (encoding === SAME || encoding === PLAIN) {
        const same = encoding === SAME ? reader.signed() : null;
        for (let i = 0; i < rows.length; i++) {
            if (!present || present[i]) rows[i] = same !== null ? same : reader.signed();
        }
    } else if (encoding === STEPS) {
        let before = zero;
        for (let i = 0; i < rows.length; i++) {
            if (!present || present[i]) before = rows[i] = asStored(rows, before + reader.signed());
        }
    } else if (encoding === NEXT) {
        decodeNext(reader, rows, spec.valueCount);
    } else if (encoding === SORTED) {
        decodeSorted(reader, rows, spec.cellBegin);
    } else if (encoding === OWN) {
        const last = new Float64Array(spec.keyCount);
        for (let i = 0; i < rows.length; i++) {
            const number = reader.unsigned();
            if (number > 0) last[spec.keys[i]] = number - 1;
            rows[i] = last[spec.keys[i]];
        }
    } else {
        decodeOwnSteps(reader, rows, spec, encoding === GAINED ? spec.gains : null, zero);
    }
}

// 64-bit sums wrap around, as where they were written.
function asStored(rows, value) {
    return typeof value === "bigint" ? BigInt.asIntN(64, value) : value;
}

function decodeOwnSteps(reader, rows, spec, gains, zero) {
    const { keys, present } = spec;
    const last = spec.wide ? new BigInt64Array(spec.keyCount) : new Float64Array(spec.keyCount);
    const isMixed = gains !== null && spec.wide && !(gains instanceof BigInt64Array);
    for (let i = 0; i < rows.length; i++) {
        if (present && !present[i]) continue;
        const gain = gains === null ? zero : isMixed ? BigInt(gains[i]) : gains[i];
        rows[i] = last[keys[i]] + reader.signed() + gain;
        last[keys[i]] = rows[i];
    }
}

function decodeNext(reader, rows, valueCount) {
    const next = new Uint32Array(valueCount);
    let before = 0;
    for (let i = 0; i < rows.length; i++) {
        const number = reader.unsigned();
        if (number > 0) next[before] = number - 1;
        before = rows[i] = next[before];
    }
}

function decodeSorted(reader, rows, cellBegin) {
    for (let cell = 0; cell + 1 < cellBegin.length; cell++) {
        let value = 0;
        for (let i = cellBegin[cell]; i < cellBegin[cell + 1]; i++) {
            rows[i] = value += reader.unsigned();
        }
    }
}

// The first row of each cell of time, and behind the last.
function decodeCells(bytes, cellCount) {
    const reader = new NumberReader(bytes, 0);
    const gaps = new Uint32Array(cellCount), counts = new Uint32Array(cellCount);
    let total = 0;
    for (let i = 0; i < cellCount; i++) {
        total += (gaps[i] = reader.unsigned()) + 1;
        counts[i] = reader.unsigned();
    }
    const begin = new Uint32Array(total + 1);
    for (let i = 0, cell = 0, row = 0; i < cellCount; i++) {
        begin.fill(row, cell, cell += gaps[i] + 1);
        begin[cell] = row += counts[i];
    }
    return begin;
}
