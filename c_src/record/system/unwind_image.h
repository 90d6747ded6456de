// SPDX-License-Identifier: Apache-2.0
// What unwinding needs of an ELF file: its call frame information, and what the file
// calls the places of a mapping. Hostile input. One owner, one thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_UNWIND_IMAGE_H
#define FLAME_PROF_RECORD_SYSTEM_UNWIND_IMAGE_H

#include "symbols/system/elf_file.h"
#include "symbols/system/go_image.h"
#include "unwind/call_frame.h"

#include <stdbool.h>
#include <stdint.h>

// The file's .eh_frame, by its section or else by its program header, and what .init and
// .fini are. False when it has no .eh_frame that can be read.
bool unwind_image_frames(const struct elf_file *file, struct call_frame_table *table);

// All by which its code can be unwound. A zeroed struct is closed.
struct unwind_image {
    struct call_frame_table frames; // Go's code included, whose table is in `go`
    struct go_image go;
};

// False when the file has nothing that can be read.
bool unwind_image_open(struct unwind_image *image, const struct elf_file *file);
// Harmless twice and on a zeroed struct.
void unwind_image_close(struct unwind_image *image);

// The address of what lies at `offset` of the file in a mapping of code. False when no
// segment of code is there.
bool unwind_image_address(const Elf64_Phdr *segments, uint32_t segment_cnt, uint64_t offset,
                          uint64_t *address);

#endif
