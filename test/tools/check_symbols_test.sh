#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A NIF and async-signal objects with one wrong symbol each.
# shellcheck source=harness.sh
. "$(dirname "$0")/harness.sh"

library() { # C TEXT [FLAGS...]
    local text=$1
    shift
    printf '%s\n' "$text" >nif.c
    cc -shared -fPIC -fvisibility=hidden -o nif.so nif.c "$@"
}
nif_symbols() { "$top/tools/check-nif-symbols" nif.so; }
entry='__attribute__((visibility("default"))) void *nif_init(void)'

good_nif() {
    library "#include <stdlib.h>
void enif_free(void *); $entry { enif_free(0); return malloc(1); }"
    accepts 'gives nif_init' nif_symbols
}
extra_definition() {
    library "__attribute__((visibility(\"default\"))) int leaked; $entry { return 0; }"
    refuses 'defines leaked nif_init' nif_symbols
}
no_definition() {
    library 'int hidden;'
    refuses 'defines nothing' nif_symbols
}
unknown_symbol() {
    library "int compress_it(void); $entry { compress_it(); return 0; }"
    refuses 'needs compress_it' nif_symbols
}
foreign_library() {
    # Linked, although nothing of it is used.
    library "double cos(double); $entry { return 0; }" -Wl,--no-as-needed -lm
    refuses 'is linked with libm' nif_symbols
}
no_library() { refuses 'is not there' "$top/tools/check-nif-symbols" missing.so; }

object() { # NAME C TEXT
    mkdir -p "src/$(dirname "$1")" "obj/$(dirname "$1")"
    printf '%s\n' "$2" >"src/$1.c"
    cc -O2 -fPIC -c -o "obj/$1.o" "src/$1.c"
}
signal_safe() { "$top/tools/check-signal-safe" obj src; }

safe_object() {
    object capture/beam/guarded_read '#include <string.h>
void copy(void *to, const void *from, size_t n) { memcpy(to, from, n); }'
    accepts '1 object' signal_safe
}
allocates() {
    object capture/beam/guarded_read '#include <stdlib.h>
void *get(void) { return malloc(8); }'
    refuses 'guarded_read.o calls malloc' signal_safe
}
logs() {
    object capture/beam/guarded_read_backend 'void log_message(int, const char *, ...);
void f(void) { log_message(1, "x"); }'
    refuses 'calls log_message' signal_safe
}
locks() {
    object capture/beam/guarded_read 'int good;'
    object capture/beam/walk '// ASYNC-SIGNAL: runs in the handler
#include <pthread.h>
extern pthread_mutex_t m;
void f(void) { pthread_mutex_lock(&m); }'
    refuses 'walk.o calls pthread_mutex_lock' signal_safe
}
each_other() {
    object capture/beam/guarded_read 'int guarded(void) { return 1; }'
    object capture/beam/walk '// ASYNC-SIGNAL
int guarded(void);
int f(void) { return guarded(); }'
    accepts '2 object' signal_safe
}
no_object() {
    object capture/beam/guarded_read 'int good;'
    rm obj/capture/beam/guarded_read.o
    refuses 'is not there; run make nif' signal_safe
}
no_source() {
    object capture/beam/other 'int good;'
    refuses 'no async-signal source' signal_safe
}

it 'a NIF with enif_* and libc passes' good_nif
it 'a NIF that defines more' extra_definition
it 'a NIF that defines nothing' no_definition
it 'a NIF that needs a symbol of nobody' unknown_symbol
it 'a NIF linked with another library' foreign_library
it 'no NIF at all' no_library
it 'an async-signal object that copies passes' safe_object
it 'an async-signal object that allocates' allocates
it 'an async-signal object that logs' logs
it 'a marked object that locks' locks
it 'async-signal objects may call each other' each_other
it 'an async-signal object that was not built' no_object
it 'no async-signal source at all' no_source
finish
