#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads what `flameprof export` wrote, knowing only the formats' own descriptions, and
prints the sum of each weight, a line "NAME SUM" each:

    export_sums.py perf|fork|pprof|otlp|speedscope|firefox|trace|folded|gprofiler|html FILE

perf is the source: perf-script text, of which changes are summed by sign. fork is the same
text as the metric-aware fork of Flamescope takes it."""
import ast
import collections
import decimal
import gzip
import itertools
import json
import os
import re
import subprocess
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


def contents(path):
    data = open(path, "rb").read()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def pprof(path):
    data = contents(path)
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


def message(lines):
    """protoc's text: each field a list."""
    fields = collections.defaultdict(list)
    for line in lines:
        line = line.strip()
        if line == "}":
            break
        if line.endswith(" {"):
            fields[line[:-2]].append(message(lines))
        else:
            name, value = line.split(": ", 1)
            fields[name].append(ast.literal_eval("b" + value).decode() if value[0] == '"'
                                else int(value))
    return fields


def otlp(path):
    here = os.path.dirname(os.path.abspath(__file__))
    decoded = subprocess.run(["protoc", "--decode=ProfilesData", "-I" + here,
                              here + "/otlp_profiles.proto"], input=contents(path),
                             stdout=subprocess.PIPE, check=True).stdout.decode()
    assert not re.search(r"^ *[0-9]+[:{ ]", decoded, re.M), "fields that are not in the protocol"
    data = message(iter(decoded.splitlines()))
    tables = data["dictionary"][0]
    strings = tables["string_table"]
    assert strings[0] == "" and not tables["attribute_table"][0] and not tables["stack_table"][0]
    for stack in tables["stack_table"]:
        assert all(0 < i < len(tables["location_table"]) for i in stack["location_indices"])
    for location in tables["location_table"][1:]:
        assert 0 < location["lines"][0]["function_index"][0] < len(tables["function_table"])
        assert max(location["mapping_index"], default=0) < len(tables["mapping_table"])
    sums = {}
    for profile in data["resource_profiles"][0]["scope_profiles"][0]["profiles"]:
        name = strings[profile["sample_type"][0]["type_strindex"][0]]
        sums[name] = 0
        for sample in profile["samples"]:
            assert max(sample["stack_index"], default=0) < len(tables["stack_table"])
            assert all(0 < i < len(tables["attribute_table"]) for i in sample["attribute_indices"])
            times = sample["timestamps_unix_nano"]
            assert len(times) in (0, len(sample["values"])) and times == sorted(times)
            sums[name] += sum(sample["values"])
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


def exact(path):
    """JSON whose fractions are as they stand there."""
    return json.loads(contents(path), parse_float=decimal.Decimal)


def columns(table):
    lengths = {len(value) for value in table.values() if isinstance(value, list)}
    assert lengths <= {table["length"]}, table.keys()
    return table


def firefox(path):
    document = exact(path)
    strings = document["shared"]["stringArray"]
    categories = document["meta"]["categories"]
    sums = collections.Counter()
    for thread in document["threads"]:
        functions, resources = columns(thread["funcTable"]), columns(thread["resourceTable"])
        stacks, frames = columns(thread["stackTable"]), columns(thread["frameTable"])
        samples = columns(thread["samples"])
        for i, prefix in enumerate(stacks["prefix"]):
            assert prefix is None or 0 <= prefix < i
        assert all(0 <= frame < frames["length"] for frame in stacks["frame"])
        assert all(0 <= function < functions["length"] for function in frames["func"])
        assert all(0 <= kind < len(categories) for kind in frames["category"])
        assert all(0 <= name < len(strings) for name in functions["name"])
        assert all(file is None or 0 <= file < len(strings) for file in functions["fileName"])
        assert all(-1 <= idx < resources["length"] for idx in functions["resource"])
        assert all(0 <= lib < len(document["libs"]) for lib in resources["lib"])
        assert all(stack is None or 0 <= stack < stacks["length"] for stack in samples["stack"])
        assert samples["time"] == sorted(samples["time"]) and samples["time"][:1] >= [0][:len(samples["time"])]
        unit = 1000000 if samples["weightType"] == "tracing-ms" else 1
        sums[thread["processName"]] += sum(int(weight * unit) for weight in samples["weight"])
    return sums


def trace(path):
    document = exact(path)
    frames = document["stackFrames"]
    for frame in frames.values():
        assert frame["name"] is not None and ("parent" not in frame or frame["parent"] in frames)
    sums = collections.Counter()
    for sample in document["samples"]:
        assert "sf" not in sample or str(sample["sf"]) in frames
        sums[sample["name"]] += sample["weight"]
    nodes, counts = collections.defaultdict(set), collections.Counter()
    for event in document["traceEvents"]:
        assert {"name", "ph", "ts", "pid", "tid"} <= event.keys()
        if event["name"] == "ProfileChunk":
            data = event["args"]["data"]
            known = nodes[event["id"]]
            for node in data["cpuProfile"]["nodes"]:
                assert node["id"] == 1 or node["parent"] in known
                known.add(node["id"])
            assert set(data["cpuProfile"]["samples"]) <= known
            assert len(data["timeDeltas"]) == len(data["cpuProfile"]["samples"])
            assert min(data["timeDeltas"]) >= 0
            counts["chunks"] += len(data["timeDeltas"])
    if set(sums) & {"samples", "wall"}:
        assert counts["chunks"] == len(document["samples"])
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


# Its expressions, each line searched for an event first; what it fails at is asserted.
FORK_EVENT = re.compile(r" +([0-9.]+): .+?:")
FORK_METRIC = re.compile(r"\bmetric_([^:]+):[\t ](-?[0-9.]+)[\t ]*,[\t ]*(-?[0-9.]+)\b")
FORK_FRAME = re.compile(r"^[\t ]*[0-9a-fA-F]+ (.+) \((.*?)\)$")
FORK_COMM = re.compile(r"^ *([^0-9]+)")


def fork(path):
    sums, times = collections.Counter(), []
    for number, line in enumerate(contents(path).decode("utf-8").splitlines()):
        assert number > 0 or line[:1] == "#" or FORK_EVENT.search(line), "no file of its kind"
        event = None if line[:1] == "#" else FORK_EVENT.search(line)
        if event is not None:
            assert line[0] != "\t", "a frame that it takes for an event"
            assert FORK_COMM.match(line).group(1).rstrip(), "no category"
            times.append(float(event.group(1)))
            for name, value, delta in FORK_METRIC.findall(line):
                sums[name] += int(value)
                sums[name + "_delta"] += int(delta)
        elif line and line[0] != "#":
            frame = FORK_FRAME.match(line)
            assert frame and "->" not in frame.group(1) and "+" not in frame.group(1), line
            sums["frames"] += 1
    assert len(times) > 1 and times[-1] == max(times) > times[0] and times[-1] % 1 != 0
    sums["samples"] = len(times)
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


READERS = {"perf": perf, "fork": fork, "pprof": pprof, "otlp": otlp, "speedscope": speedscope,
           "firefox": firefox, "trace": trace, "folded": last_words,
           "gprofiler": last_words, "html": html}

if __name__ == "__main__":
    for key, value in sorted(READERS[sys.argv[1]](sys.argv[2]).items()):
        print(key, value)
