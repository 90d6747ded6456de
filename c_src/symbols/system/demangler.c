// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/demangler.h"

#include <libiberty/demangle.h>
#include <setjmp.h>

// A cut Rust name may cost libiberty a few hundred bytes that it does not give back:
// whoever brings so many that are too long has made them up.
enum { MAX_CUT = 4096 };

struct work {
    struct demangler *demangler;
    jmp_buf enough;
};

// libiberty prints piece by piece and cannot be asked to stop. What it holds then is
// on its stack (but for MAX_CUT).
static void take(const char *piece, size_t len, void *opaque)
{
    struct work *work = opaque;
    struct demangler *demangler = work->demangler;
    size_t left = sizeof demangler->output - demangler->output_len;
    size_t taken = len < left ? len : left;
    if (taken > 0) { // an empty piece may be NULL
        memcpy(demangler->output + demangler->output_len, piece, taken);
    }
    demangler->output_len += (uint32_t)taken;
    if (taken < len) {
        longjmp(work->enough, 1);
    }
}

static bool begins_with(struct text name, const char *prefix)
{
    size_t len = strlen(prefix);
    return name.len > len && memcmp(name.bytes, prefix, len) == 0;
}

static bool is_mangled(struct text name)
{
    return begins_with(name, "_Z") || begins_with(name, "_R") || begins_with(name, "__Z") ||
           begins_with(name, "__R");
}

static bool print(struct work *work, const char *mangled)
{
    work->demangler->output_len = 0;
    if (rust_demangle_callback(mangled, DMGL_NO_OPTS, take, work) != 0) {
        return true;
    }
    work->demangler->output_len = 0;
    const char *name = mangled[1] == '_' ? mangled + 1 : mangled; // as on other systems
    return cplus_demangle_v3_callback(name, DMGL_NO_OPTS, take, work) != 0;
}

static bool print_bounded(struct demangler *demangler, const char *mangled)
{
    struct work work = {.demangler = demangler};
    if (setjmp(work.enough) == 0) {
        return print(&work, mangled);
    }
    demangler->cut_cnt++;
    memcpy(demangler->output + sizeof demangler->output - 3, "...", 3);
    return true;
}

bool demangler_demangle(struct demangler *demangler, struct text *name)
{
    char mangled[DEMANGLER_MAX_INPUT_BYTES + 1];
    if (!is_mangled(*name) || name->len > DEMANGLER_MAX_INPUT_BYTES ||
        demangler->cut_cnt >= MAX_CUT) {
        return false;
    }
    memcpy(mangled, name->bytes, name->len);
    mangled[name->len] = '\0';
    if (!print_bounded(demangler, mangled) || demangler->output_len == 0) {
        return false;
    }
    *name = (struct text){demangler->output, demangler->output_len};
    return true;
}
