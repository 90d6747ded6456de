#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# install-deps: says what is missing, installs only that, asks for root only then.
# shellcheck source=harness.sh
. "$(dirname "$0")/harness.sh"

# A machine with only these commands; `id` is a user's, apt-get writes down what
# it was asked for.
machine() { # COMMAND...
    local command
    mkdir bin
    for command in bash sh mktemp rm sort cut paste awk sed cat grep head env tr "$@"; do
        ln -sf "$(command -v "$command")" bin/
    done
    fake id 'echo 1000'
}
# Never through a link: what it points to is this machine's.
fake() { rm -f "bin/$1"; printf '#!/bin/sh\n%s\n' "$2" >"bin/$1"; chmod +x "bin/$1"; }
on_it() { PATH=$PWD/bin "$top/tools/install-deps" "$@"; }

names_what_is_missing() {
    machine
    refuses 'there is no apt-get here; install the like of: .*gcc.*make' on_it build
    refuses '^  erlang-dev +builds the NIF' on_it build
}
no_root_no_sudo() {
    machine
    fake apt-get 'echo called >called'
    refuses 'installing needs root and there is no sudo; as root: apt-get install .*clang' on_it build
    [ ! -e called ]
}
sudo_is_said() {
    machine
    fake apt-get 'exit 1'
    fake sudo 'echo "$@" >>asked; exit 1'
    refuses 'using sudo for apt-get' on_it build
    grep -q 'apt-get -q install -y .*clang' asked
}
only_what_is_missing() {
    machine make
    fake id 'echo 0'
    # To compile, the compiler needs the PATH that it has here.
    fake cc "PATH='$PATH' exec '$(command -v cc)' \"\$@\""
    fake apt-get 'echo "$@" >>asked; exit 1'
    refuses 'apt-get could not install' on_it build
    grep -q ' clang' asked
    if grep -qE ' (gcc|make|libc6-dev)( |$)' asked; then
        cat asked
        return 1
    fi
}
installed_and_missing() {
    machine
    fake id 'echo 0'
    fake apt-get true
    refuses 'installed, and yet missing: .*clang' on_it build
}
nothing_missing() { # on this machine, which builds
    accepts 'nothing is missing' "$top/tools/install-deps" test
}

it 'without apt-get: what to install' names_what_is_missing
it 'neither root nor sudo: one line, nothing is touched' no_root_no_sudo
it 'sudo is announced' sudo_is_said
it 'only what is missing is asked for' only_what_is_missing
it 'a package that does not help is no success' installed_and_missing
it 'nothing is missing here' nothing_missing
finish
