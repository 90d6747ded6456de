// SPDX-License-Identifier: Apache-2.0
// What went wrong, on the control path: a closed code, the errno behind it and
// one line for a person. Fixed size, lives on the caller's stack, never freed.
// Hot paths do not use it: they count reasons (model/loss.h).
#ifndef FLAME_PROF_BASE_ERROR_H
#define FLAME_PROF_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

// code, Erlang atom / machine-readable name
#define ERROR_CODES(X)                                                                             \
    X(ERROR_NONE, "none")                                                                          \
    X(ERROR_OS, "os")                                                                              \
    X(ERROR_NO_MEMORY, "no_memory")                                                                \
    X(ERROR_BAD_ARGUMENT, "bad_argument")                                                          \
    X(ERROR_BAD_INPUT, "bad_input")                                                                \
    X(ERROR_NOT_PERMITTED, "not_permitted")                                                        \
    X(ERROR_UNSUPPORTED, "unsupported")                                                            \
    X(ERROR_LAYOUT, "layout")                                                                      \
    X(ERROR_LIMIT, "limit")                                                                        \
    X(ERROR_NO_SPACE, "no_space")

enum error_code {
#define ERROR_ENUM(code, name) code,
    ERROR_CODES(ERROR_ENUM)
#undef ERROR_ENUM
        ERROR_CODE_CNT
};

enum { ERROR_DETAIL_BYTES = 400 };

// A zeroed struct means "no error". `detail` is one line without a newline:
// object, cause, remedy.
struct error {
    enum error_code code;
    int sys_errno; // 0 when no system call was involved
    char detail[ERROR_DETAIL_BYTES];
};

// The setters always return false, so that a failing function can
// `return error_set(err, ...)`. `err` may be NULL (the text is dropped).
bool error_set(struct error *err, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Appends ": <strerror>" and maps ENOSPC/EDQUOT, EPERM/EACCES and ENOMEM to
// their own codes.
bool error_os(struct error *err, int sys_errno, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Puts "<context>: " in front of the detail of an error that is already set.
bool error_context(struct error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// The machine-readable name of a code; static, never NULL.
const char *error_code_name(enum error_code code);

#endif
