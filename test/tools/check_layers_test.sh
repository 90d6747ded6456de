#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Each rule of the layer table is broken once, and must be seen.
# shellcheck source=harness.sh
. "$(dirname "$0")/harness.sh"

# plant FILE LINE...: a small house that keeps to the rules, plus one file.
plant() {
    local file=$1 layer
    shift
    for layer in base model store capture/beam capture/system symbols/beam symbols/system sinks \
        record/beam record/system nif cli; do
        mkdir -p "c_src/$layer"
        echo '// SPDX-License-Identifier: Apache-2.0' | tee "c_src/$layer/noun.h" >"c_src/$layer/noun.c"
    done
    mkdir -p bpf
    echo '// SPDX-License-Identifier: Apache-2.0' | tee bpf/sampler.h >bpf/sampler.bpf.c
    printf '%s\n' '// SPDX-License-Identifier: Apache-2.0' "$@" >"$file"
}
layers() { "$top/tools/check-layers" .; }

clean_house() {
    plant c_src/record/beam/join.c '#include "capture/beam/noun.h"' '#include "sinks/noun.h"' \
        '#include <stdio.h>' '// exit(1) and printf("x") in a comment' \
        '/* exit(1)' 'printf(' '*/' 'const char *text = "exit(1) // printf(";' \
        '__attribute__((format(printf, 1, 2))) void say(const char *format, ...);'
    accepts 'keep to the table' layers
}
upward() {
    plant c_src/base/bad.c '#include "model/noun.h"'
    refuses 'c_src/base/bad.c:2: base includes "model/noun.h"' layers
}
upward_from_header() {
    plant c_src/model/bad.h '#include "sinks/noun.h"'
    refuses 'c_src/model/bad.h:2: model includes' layers
}
engine_sees_sink() {
    plant c_src/capture/beam/bad.c '#include "sinks/noun.h"'
    refuses 'capture/beam includes "sinks/noun.h"' layers
}
engine_sees_engine() {
    plant c_src/capture/beam/bad.c '#include "capture/system/noun.h"'
    refuses 'capture/beam includes "capture/system/noun.h"' layers
}
sink_sees_engine() {
    plant c_src/sinks/bad.c '#include "capture/system/noun.h"'
    refuses 'sinks includes' layers
}
nif_sees_system() {
    plant c_src/nif/bad.c '#include "record/system/noun.h"'
    refuses 'nif includes' layers
}
erl_nif_elsewhere() {
    plant c_src/record/beam/bad.c '#include <erl_nif.h>'
    refuses 'record/beam includes erl_nif.h' layers
}
zlib_elsewhere() {
    plant c_src/store/bad.c '#include <zlib.h>'
    refuses 'store includes a header of zlib or zstd' layers
}
zlib_linked() {
    plant c_src/store/good_linked.c '#include <zlib.h>' '#include <zstd.h>'
    accepts 'keep to the table' layers
}
erl_nif_in_nif() {
    plant c_src/nif/good.c '#include <erl_nif.h>'
    accepts 'keep to the table' layers
}
relative() {
    plant c_src/model/bad.c '#include "noun.h"'
    refuses 'not written from c_src/' layers
}
parent() {
    plant c_src/model/bad.c '#include "../base/noun.h"'
    refuses 'not written from c_src/' layers
}
bpf_header_elsewhere() {
    plant c_src/record/system/bad.c '#include "sampler.h"'
    refuses 'is for bpf/ and capture/system only' layers
}
bpf_header_in_place() {
    plant c_src/capture/system/good.c '#include "sampler.h"' '#include "sampler.skel.h"'
    accepts 'keep to the table' layers
}
second_skeleton() {
    plant c_src/capture/system/a.c '#include "sampler.skel.h"'
    cp c_src/capture/system/a.c c_src/capture/system/b.c
    refuses 'included by a second file' layers
}
bpf_sees_house() {
    plant bpf/bad.bpf.c '#include "model/noun.h"'
    refuses 'bpf/ includes' layers
}
prints() {
    plant c_src/sinks/bad.c '    printf("hello\n");'
    refuses 'sinks uses printf' layers
}
prints_to_stderr() {
    plant c_src/nif/bad.c '    fprintf(stderr, "x");'
    refuses 'nif uses stderr' layers
}
exits() {
    plant c_src/store/bad.c '    exit(1);'
    refuses 'store uses exit' layers
}
reads_argv() {
    plant c_src/record/system/bad.c 'int run(int argc, char **argv);'
    refuses 'record/system uses argv' layers
}
cli_may() {
    plant c_src/cli/good.c 'int main(int argc, char **argv) { printf("%s", argv[0]); exit(0); }'
    accepts 'keep to the table' layers
}
own_clock() {
    plant c_src/capture/system/bad.c '    clock_gettime(CLOCK_MONOTONIC, &now);'
    refuses 'reads a clock' layers
}
utils() {
    plant c_src/base/utils.c
    refuses 'called utils' layers
}
no_licence() {
    plant c_src/base/good.c
    echo '#include <stdio.h>' >c_src/base/bad.c
    refuses 'c_src/base/bad.c:1: the first line is not the SPDX' layers
}
unknown_layer() {
    plant c_src/base/good.c
    mkdir c_src/extra
    cp c_src/base/noun.c c_src/extra/
    refuses 'no such layer: extra' layers
}
nothing_there() { refuses 'no c_src/' layers; }

it 'a house that keeps to the rules passes' clean_house
it 'base includes model' upward
it 'a header includes upward' upward_from_header
it 'an engine includes a sink' engine_sees_sink
it 'an engine includes the other' engine_sees_engine
it 'a sink includes an engine' sink_sees_engine
it 'the NIF includes the system side' nif_sees_system
it 'erl_nif.h outside nif/' erl_nif_elsewhere
it 'erl_nif.h in nif/ is fine' erl_nif_in_nif
it 'zlib where it may be missing' zlib_elsewhere
it 'zlib in what is linked with it' zlib_linked
it 'an include without its folder' relative
it 'an include through ..' parent
it 'a bpf header outside capture/system' bpf_header_elsewhere
it 'a bpf header in capture/system is fine' bpf_header_in_place
it 'a second user of the skeleton' second_skeleton
it 'bpf/ includes the house' bpf_sees_house
it 'a sink prints' prints
it 'the NIF prints to stderr' prints_to_stderr
it 'store exits' exits
it 'record reads argv' reads_argv
it 'cli may print, exit and read argv' cli_may
it 'a clock read outside base/clock.c' own_clock
it 'a file called utils' utils
it 'a file without a licence line' no_licence
it 'a folder that is no layer' unknown_layer
it 'an empty place' nothing_there
finish
