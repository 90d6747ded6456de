#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What bench/ measures with still compiles, with the warnings of everything else.
# shellcheck source=harness.sh
. "$(dirname "$0")/harness.sh"

compiles() {
    make -s -C "$top" benches
    for source in "$top"/bench/c/*.c; do
        test -x "$top/build/bench/$(basename "$source" .c)" || return 1
    done
}

it 'every C program of bench/ compiles' compiles
finish
