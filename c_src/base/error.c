// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const CODE_NAMES[] = {
#define ERROR_NAME(code, name) [code] = (name),
    ERROR_CODES(ERROR_NAME)
#undef ERROR_NAME
};

static void set_detail(struct error *err, const char *format, va_list args)
{
    (void)vsnprintf(err->detail, sizeof err->detail, format, args);
}

bool error_set(struct error *err, enum error_code code, const char *format, ...)
{
    if (err == NULL) {
        return false;
    }
    va_list args;
    va_start(args, format);
    err->code = code;
    err->sys_errno = 0;
    set_detail(err, format, args);
    va_end(args);
    return false;
}

static enum error_code code_of_errno(int sys_errno)
{
    switch (sys_errno) {
    case ENOSPC:
    case EDQUOT:
        return ERROR_NO_SPACE;
    case EPERM:
    case EACCES:
        return ERROR_NOT_PERMITTED;
    case ENOMEM:
        return ERROR_NO_MEMORY;
    default:
        return ERROR_OS;
    }
}

bool error_os(struct error *err, int sys_errno, const char *format, ...)
{
    if (err == NULL) {
        return false;
    }
    va_list args;
    va_start(args, format);
    err->code = code_of_errno(sys_errno);
    err->sys_errno = sys_errno;
    set_detail(err, format, args);
    va_end(args);
    char text[96] = "";
    const char *reason = strerror_r(sys_errno, text, sizeof text);
    size_t used = strlen(err->detail);
    (void)snprintf(err->detail + used, sizeof err->detail - used, ": %s", reason);
    return false;
}

bool error_context(struct error *err, const char *format, ...)
{
    if (err == NULL) {
        return false;
    }
    char old[ERROR_DETAIL_BYTES];
    memcpy(old, err->detail, sizeof old);
    va_list args;
    va_start(args, format);
    set_detail(err, format, args);
    va_end(args);
    size_t used = strlen(err->detail);
    (void)snprintf(err->detail + used, sizeof err->detail - used, ": %s", old);
    return false;
}

const char *error_code_name(enum error_code code)
{
    return (unsigned)code < ERROR_CODE_CNT ? CODE_NAMES[code] : "unknown";
}
