// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"

#include <stdio.h>

int command_failed(const struct error *err)
{
    (void)fprintf(stderr, "flameprof: %s\n", err->detail);
    switch (err->code) {
    case ERROR_NOT_PERMITTED:
        return EXIT_CODE_NOT_PERMITTED;
    case ERROR_UNSUPPORTED:
        return EXIT_CODE_UNSUPPORTED;
    case ERROR_BAD_ARGUMENT:
        return EXIT_CODE_USAGE;
    default:
        return EXIT_CODE_FAILED;
    }
}

int command_misused(const char *command, const struct error *err)
{
    (void)fprintf(stderr, "flameprof %s: %s (flameprof %s --help tells more)\n", command,
                  err->detail, command);
    return EXIT_CODE_USAGE;
}
