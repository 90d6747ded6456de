// SPDX-License-Identifier: Apache-2.0
#include "capture/system/libbpf_log.h"

#include "base/log.h"

#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int print(enum libbpf_print_level level, const char *format, va_list args)
{
    char *text = NULL;
    int len = vasprintf(&text, format, args);
    if (len < 0) {
        return 0;
    }
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        if (*line != '\0') {
            log_message(level == LIBBPF_WARN ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "%s", line);
        }
    }
    free(text);
    return len;
}

void libbpf_log_install(void)
{
    (void)libbpf_set_print(print);
}
