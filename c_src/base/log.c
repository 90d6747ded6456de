// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

static struct {
    log_sink sink;
    void *context;
    enum log_level max_level;
} target;

void log_set_sink(log_sink sink, void *context, enum log_level max_level)
{
    target.sink = sink;
    target.context = context;
    target.max_level = max_level;
}

void log_message(enum log_level level, const char *format, ...)
{
    if (target.sink == NULL || level > target.max_level) {
        return;
    }
    char line[512];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    target.sink(target.context, level, line);
}
