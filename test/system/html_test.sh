#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The page that export writes, in a browser: what it draws, what it answers, that it is
# silent and asks no network. Needs no rights, but Chromium and Node.
here=$(cd "$(dirname "$0")" && pwd)
. "$(dirname "$0")/case.sh"

need_browser() {
    command -v node >/dev/null || skip "node is not installed"
    node -e 'process.exit(require(process.argv[1]).find() ? 0 : 1)' "$root/test/browser/browser.js" ||
        skip "chromium is not installed"
}

look() { # CASE PAGE [EXPECTED...]
    local said
    said=$(timeout 300 node "$root/test/browser/page_test.js" "$@" 2>&1) || fail "$said"
}

# Sums beyond 2^53, where doubles are not exact; two seconds of samples before others.
sample() {
    need_browser
    python3 - >x.perf <<'END'
import random
random.seed(6)
print("# ========\n# flame_prof: 0.1.0\n# hostname: here")
for i in range(4000):
    memory, change = random.randrange(1 << 52), random.randrange(-(1 << 33), 1 << 33)
    print("%s 42/%d [001] %.6f: metric_erlang_memory: %d, %d\tperiod: 10000000 beam-wall:" % (
          random.choice(["running", "waiting"]), 100 + i % 7, 10 + i * 0.002, memory, change))
    for frame in random.sample(["lists:map/2;1559 (lists.erl)", "a:b/1;3 (a.erl)",
                                "do_syscall_64 ([kernel.kallsyms])", "main (/bin/x y)"], 3):
        print("\t7f1c22ad " + frame)
    print("\t0 {my_server:init/1} (my_server.erl)\n")
print("# loss ring_full: 12")
END
    run export --format html -o x.html x.perf
    want_code 0
}

sum_of() { # NAME FILE
    "$here/export_sums.py" perf "$2" | sed -n "s/^$1 //p"
}

answers_are_the_sums_of_the_source() {
    sample
    awk 'BEGIN { RS = ""; ORS = "\n\n" } !/ 10\./ { next } { sub(/^#[^\n]*\n(#[^\n]*\n)*/, ""); print }' x.perf >first.perf
    look sums x.html 4000 "$(sum_of erlang_memory x.perf)" "$(sum_of erlang_memory_inc x.perf)" \
        "$(sum_of erlang_memory_dec x.perf)" 500 "$(sum_of erlang_memory first.perf)"
}

keys_and_mouse_select_and_zoom() {
    sample
    look keys x.html
}

search_finds_each_sample_once() {
    sample
    look search x.html lists:map/2 "$(grep -c 'lists:map/2' x.perf)"
}

it_is_drawn_dark_and_light_wide_and_narrow() {
    sample
    look looks x.html
}

hostile_names_are_text() {
    need_browser
    python3 - <<'END'
names = ["</script><script>window.harmed=1</script>", "<img src=x onerror=window.harmed=1>", "<!--<script>",
         "\"'`${window.harmed=1}", "\x01\x02\x0b\x1b[31m\x7f", "\u2028\u202e\ufeff", "constructor", "__proto__"]
with open("x.perf", "wb") as out:
    out.write("# hostname: </title><script>window.harmed=1</script>\n# loss </script>: 7\n".encode())
    for i in range(200):
        name = names[i % len(names)].encode() + (b"\xff\xfe\xc0" if i % 3 == 0 else b"")
        out.write(b"%s 42/%d [001] %.6f: metric_erlang_<b>: 1, 1\tperiod: 10 beam-wall:\n" % (
            b"a<img/src=x/onerror=window.harmed=1>", i % 5, 10 + i * 0.02))
        out.write(b"\t7f1c %s (%s)\n\t0 {registered %s} (process)\n\n" % (name, name, name))
END
    run export -o x.html x.perf
    want_code 0
    want "nothing of it in the text" test "$(grep -c 'harmed' x.html)" = 0
    look hostile x.html '</script><script>window.harmed=1</script>' '<img src=x onerror=window.harmed=1>' \
        '</title>' '__proto__'
}

damage_is_told() {
    sample
    python3 - <<'END'
import re
page = open("x.html", "rb").read()
begin = page.index(b'id="stack">') + 40
open("y.html", "wb").write(page[:begin] + bytes([page[begin] ^ 2]) + page[begin + 1:])
open("z.html", "wb").write(re.sub(b'<script type="text/plain" id="cells">.*?</script>', b"", page, flags=re.DOTALL))
END
    look damaged y.html "cannot be shown"
    look damaged z.html "no block cells"
}

run_cases answers_are_the_sums_of_the_source keys_and_mouse_select_and_zoom \
    search_finds_each_sample_once it_is_drawn_dark_and_light_wide_and_narrow hostile_names_are_text \
    damage_is_told
