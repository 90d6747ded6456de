// SPDX-License-Identifier: Apache-2.0
// The table of functions that a Go program carries, out of its ELF file. Hostile input.
#ifndef FLAME_PROF_SYMBOLS_SYSTEM_GO_IMAGE_H
#define FLAME_PROF_SYMBOLS_SYSTEM_GO_IMAGE_H

#include "symbols/system/elf_file.h"
#include "unwind/go_table.h"

// A zeroed struct is closed.
struct go_image {
    struct go_table table; // addresses are those of the file
    char *bytes;
};

// False when it has none that is known (unwind/go_table.h), or one of more than 128 MB. Takes its
// size in memory until it is closed.
bool go_image_open(struct go_image *image, const struct elf_file *file);
// Harmless twice and on a zeroed struct.
void go_image_close(struct go_image *image);

#endif
