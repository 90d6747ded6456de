#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# rebar3's hook: a NIF where it can be made; where not, one line, and success.
# shellcheck source=harness.sh
. "$(dirname "$0")/harness.sh"

# house RECIPE...: a project whose `make nif` is RECIPE.
house() {
    mkdir tools priv
    cp "$top/tools/nif-hook" tools/
    { printf 'nif:\n'; printf '\t@%s\n' "$@"; } >Makefile
}
# Only these commands are on the PATH.
with_only() {
    local command
    mkdir -p bin
    for command in sh dirname mkdir rm sed head grep pwd "$@"; do
        ln -sf "$(command -v "$command")" bin/
    done
    PATH=$PWD/bin
}
hook() { sh tools/nif-hook compile; }
one_line() { # the whole output is one line that matches
    local out
    out=$("${@:2}" 2>&1)
    if [[ $out == *$'\n'* ]] || ! [[ $out =~ $1 ]]; then
        printf '%s\nnot one line with: %s\n' "$out" "$1"
        return 1
    fi
}

builds() {
    house 'echo built >priv/flame_prof_nif.so'
    [ -z "$(hook)" ]
    [ -s priv/flame_prof_nif.so ]
}
no_compiler() {
    house true
    CC=no-such-cc one_line 'portable tier will be used: there is no C compiler no-such-cc' hook
}
no_make() {
    house true
    (with_only cc && one_line 'portable tier will be used: make is not installed' hook)
}
musl() {
    house 'echo built >priv/flame_prof_nif.so'
    printf '#!/bin/sh\necho x86_64-linux-musl\n' >musl-cc
    chmod +x musl-cc
    CC=$PWD/musl-cc one_line 'portable tier will be used: the C library is musl' hook
    [ ! -e priv/flame_prof_nif.so ]
}
build_fails() {
    house 'echo "c_src/x.c:1:1: error: no such thing" >&2; exit 1'
    one_line 'portable tier will be used: the build failed: no such thing \(see .*/build/nif.log\)' hook
}
headers_missing() {
    house 'echo "flame_prof: erl_nif.h is missing: apt-get install erlang-dev" >&2; exit 1'
    one_line 'portable tier will be used: erl_nif.h is missing: apt-get install erlang-dev' hook
}
only_the_reader_fails() {
    # shellcheck disable=SC2016 # make expands it
    house '[ -z "$(NIF_WITH)" ] && echo built >priv/flame_prof_nif.so'
    sed -i '1i NIF_WITH := reader' Makefile
    mkdir priv/bin
    echo old >priv/bin/flame_prof_port
    one_line 'built without priv/bin/flame_prof_port, there will be no export' hook
    [ -s priv/flame_prof_nif.so ] && [ ! -e priv/bin/flame_prof_port ]
}
old_nif_goes() {
    house 'exit 1'
    echo old >priv/flame_prof_nif.so
    hook
    [ ! -e priv/flame_prof_nif.so ]
}
required() {
    house 'exit 1'
    FLAME_PROF_NIF=require refuses 'no NIF, which FLAME_PROF_NIF=require wants: make nif failed' hook
}
switched_off() {
    house 'echo built >priv/flame_prof_nif.so'
    FLAME_PROF_NIF=off one_line 'portable tier will be used: FLAME_PROF_NIF=off' hook
    [ ! -e priv/flame_prof_nif.so ]
}
cleans() {
    house true
    mkdir build
    touch priv/flame_prof_nif.so
    sh tools/nif-hook clean
    [ ! -e build ] && [ ! -e priv/flame_prof_nif.so ]
}
warnings_are_no_errors() {
    # shellcheck disable=SC2016 # for make
    house '[ -z "$(WERROR)" ]'
    echo 'WERROR ?= -Werror' >>Makefile
    [ -z "$(hook)" ]
}

it 'a NIF that can be built is built, quietly' builds
it 'no C compiler' no_compiler
it 'no make' no_make
it 'musl' musl
it 'a build that fails' build_fails
it 'headers that are missing' headers_missing
it 'only the program that reads files fails' only_the_reader_fails
it 'a NIF of an earlier build does not stay' old_nif_goes
it 'FLAME_PROF_NIF=require' required
it 'FLAME_PROF_NIF=off' switched_off
it 'clean' cleans
it 'a warning breaks nobody else'\''s build' warnings_are_no_errors
finish
