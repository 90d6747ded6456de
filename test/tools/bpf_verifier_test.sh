#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A BPF program that the kernel must refuse is a failure, one that is fine is
# not, and an optional one is looked at, too.
# shellcheck source=harness.sh
. "$(dirname "$0")/harness.sh"
verifier=${VERIFIER:-$top/build/test/system/bpf_verifier}

object() { # C TEXT OF A FUNCTION BODY, SECTION
    [ "$(id -u)" = 0 ] || { echo 'not root'; return 77; }
    [ -r /sys/kernel/btf/vmlinux ] || { echo 'this kernel has no BTF'; return 77; }
    command -v clang >/dev/null || { echo 'clang is not installed'; return 77; }
    cat >planted.bpf.c <<C
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
SEC("perf_event") int fine(void *context) { return 0; }
SEC("$2") int planted(void *context) { $1 }
C
    clang -target bpf -g -O2 -idirafter "/usr/include/$(cc -print-multiarch)" -c -o planted.o planted.bpf.c
}

fine() {
    object 'return 0;' perf_event || return
    accepts '^ok   planted: processed [0-9]+ insns' "$verifier" planted.o
    accepts '^2 passed, 0 failed, 0 skipped$' "$verifier" planted.o
}
wild_pointer() {
    object 'return *(int *)0x1234;' perf_event || return
    refuses '^FAIL planted' "$verifier" planted.o
    refuses '^1 passed, 1 failed, 0 skipped$' "$verifier" planted.o
}
optional() {
    object 'return *(int *)0x1234;' '?perf_event' || return
    refuses '^FAIL planted' "$verifier" planted.o
}
no_object() { refuses 'FAIL open missing.o|usage' "$verifier" missing.o; }
not_root() {
    [ "$(id -u)" = 0 ] || { echo 'only root can try as another user'; return 77; }
    object 'return 0;' perf_event || return
    cp "$verifier" verifier
    chmod 755 . .. verifier
    accepts '^skip bpf_verifier: not root' setpriv --reuid 65534 --clear-groups ./verifier planted.o
}

it 'a program that is fine' fine
it 'a program that reads anywhere' wild_pointer
it 'an optional program that reads anywhere' optional
it 'no object' no_object
it 'not root: a skip with its reason' not_root
finish
