#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads what `flameprof export` wrote, knowing only the formats' own descriptions, and
prints the sum of each weight, a line "NAME SUM" each:

    export_sums.py perf|pprof|speedscope|folded|gprofiler|html FILE

perf is the source: perf-script text, of which changes are summed by sign."""
import collections
import gzip
import itertools
import json
import re
import sys
import zlib


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(data):
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 2:
            size, at = varint(data, at)
            value = data[at:at + size]
            assert len(value) == size, "a field beyond the end"
            at += size
        else:
            raise ValueError("wire type %d" % (key & 7))
        yield key >> 3, value


def packed(data):
    at, values = 0, []
    while at < len(data):
        value, at = varint(data, at)
        values.append(value - (1 << 64) if value >> 63 else value)
    return values


def pprof(path):
    data = open(path, "rb").read()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    message = collections.defaultdict(list)
    for field, value in fields(data):
        message[field].append(value)
    strings = [value.decode() for value in message[6]]
    assert strings[0] == ""
    names = [strings[dict(fields(value))[1]] for value in message[1]]
    functions = {dict(fields(value))[1] for value in message[5]}
    locations = set()
    for value in message[4]:
        location = dict(fields(value))
        assert dict(fields(location[4]))[1] in functions
        locations.add(location[1])
    sums = dict.fromkeys(names, 0)
    for value in message[2]:
        sample = dict(fields(value))
        assert set(packed(sample.get(1, b""))) <= locations
        values = packed(sample[2])
        assert len(values) == len(names) and min(values) >= 0
        for name, one in zip(names, values):
            sums[name] += one
    return sums


def speedscope(path):
    document = json.load(open(path))
    count = len(document["shared"]["frames"])
    sums = {}
    for profile in document["profiles"]:
        assert len(profile["samples"]) == len(profile["weights"])
        assert all(0 <= frame < count for stack in profile["samples"] for frame in stack)
        assert profile["endValue"] == sum(profile["weights"])
        sums[profile["name"]] = sum(profile["weights"])
    return sums


def last_words(path):
    lines = [line for line in open(path) if not line.startswith("#")]
    return {"weight": sum(int(line.rsplit(" ", 1)[1]) for line in lines)}


def perf(path):
    sums = collections.Counter()
    for line in open(path):
        event = re.match(r"\S+ \d+/\d+ \[\d+\] [\d.]+:(.*)", line)
        if event is None:
            continue
        sums["samples"] += 1
        period = re.search(r"\tperiod: (\d+) (\S+):", line)
        sums["wall"] += int(period.group(1))
        for name, value, delta in re.findall(r"metric_(\w+): (-?\d+), (-?\d+)", line):
            sums[name] += int(value)
            sums[name + "_inc"] += max(int(delta), 0)
            sums[name + "_dec"] += max(-int(delta), 0)
    return sums


def html_block(page, name):
    text = re.search(b'<script type="text/plain" id="%s">(.*?)</script>' % name.encode(), page,
                     re.DOTALL).group(1)
    assert max(text) < 128 and not set(text) & set(b"\0\r<")
    for escape, byte in ((b"a", 0), (b"b", 13), (b"c", 60)):
        text = text.replace(b"\x7f" + escape, bytes([byte | 128]))
    bits = "".join("{:07b}".format(byte & 127) for byte in text.replace(b"\x7fd", b"\xff"))
    packed = bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits) // 8 * 8, 8))
    return zlib.decompress(packed)


def html_numbers(data):
    at, numbers = 0, []
    while at < len(data):
        number, at = varint(data, at)
        numbers.append(number)
    return numbers


def signed(number):
    number = (number >> 1) ^ -(number & 1)
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


class Html:
    """Columns of the page, each a list with a number per row."""

    def __init__(self, path):
        self.page = open(path, "rb").read()
        self.names = json.loads(html_block(self.page, "names"))
        self.rows = self.names["samples"]
        cells = html_numbers(html_block(self.page, "cells"))
        self.counts = cells[1::2]
        assert sum(self.counts) == self.rows
        self.keys = None
        if self.names["key"] >= 0:
            self.keys = self.column("dimension%d" % self.names["key"])
        self.stacks = self.column("stack")
        self.keys = self.keys or self.stacks

    def column(self, name, present=None, gains=None):
        data = html_block(self.page, name)
        numbers = iter(html_numbers(data[1:]))
        taken = [i for i in range(self.rows) if present is None or present[i]]
        column = [0] * self.rows
        last, before = collections.defaultdict(int), 0
        firsts = {0, *itertools.accumulate(self.counts)}
        if data[0] == 0:
            same = signed(next(numbers))
            for i in taken:
                column[i] = same
            return column
        for i in taken:
            number = next(numbers)
            if data[0] == 1:
                value = signed(number)
            elif data[0] == 2:
                value = before + signed(number)
            elif data[0] == 3:
                value = number - 1 if number else last[self.keys[i]]
            elif data[0] == 4:
                value = last[self.keys[i]] + signed(number)
            elif data[0] == 5:
                value = number - 1 if number else last[before]
                last[before] = value
            elif data[0] == 6:
                value = last[self.keys[i]] + signed(number) + gains[i]
            else:
                value = number if i in firsts else before + number
            value = (value + (1 << 63)) % (1 << 64) - (1 << 63)
            if data[0] in (3, 4, 6):
                last[self.keys[i]] = value
            column[i] = before = value
        assert next(numbers, None) is None, "numbers behind the last row"
        return column


def html(path):
    page = Html(path)
    sums = {"samples": page.rows}
    if page.names["period"]["max"] != "0":
        sums[page.names["period_name"]] = sum(page.column("period"))
    for i, metric in enumerate(page.names["metrics"]):
        present = page.column("present%d" % i) if metric["is_partial"] else None
        delta = page.column("delta%d" % i, present) if metric["has_delta"] else None
        value = page.column("value%d" % i, present, delta)
        assert sum(value) == int(metric["value"]["sum"])
        sums[metric["name"]] = sum(value)
        if delta is not None:
            sums[metric["name"] + "_inc"] = sum(max(one, 0) for one in delta)
            sums[metric["name"] + "_dec"] = sum(max(-one, 0) for one in delta)
    nodes = html_numbers(html_block(page.page, "nodes"))
    assert len(nodes) == 2 * (page.names["node_cnt"] - 1)
    assert max(nodes[1::2], default=0) < len(page.names["frames"])
    stacks = html_numbers(html_block(page.page, "stacks"))
    assert max(page.stacks) < len(stacks) and max(stacks) < page.names["node_cnt"]
    return sums


READERS = {"perf": perf, "pprof": pprof, "speedscope": speedscope, "folded": last_words,
           "gprofiler": last_words, "html": html}

if __name__ == "__main__":
    for key, value in sorted(READERS[sys.argv[1]](sys.argv[2]).items()):
        print(key, value)
