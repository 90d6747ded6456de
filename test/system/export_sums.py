#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads what `flameprof export` wrote, knowing only the formats' own descriptions, and
prints the sum of each weight, a line "NAME SUM" each:

    export_sums.py perf|pprof|speedscope|folded|gprofiler FILE

perf is the source: perf-script text, of which changes are summed by sign."""
import collections
import gzip
import json
import re
import sys


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


READERS = {"perf": perf, "pprof": pprof, "speedscope": speedscope, "folded": last_words,
           "gprofiler": last_words}

if __name__ == "__main__":
    for key, value in sorted(READERS[sys.argv[1]](sys.argv[2]).items()):
        print(key, value)
