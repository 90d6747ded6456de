// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"
int cmd_top(int argc, char **argv) { (void)argc; (void)argv; return 1; }
int cmd_info(int argc, char **argv) { (void)argc; (void)argv; return 1; }
