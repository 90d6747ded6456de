// SPDX-License-Identifier: Apache-2.0
// What unwinding needs of an ELF file: its call frame information, and what the file
// calls the places of a mapping. Hostile input. One owner, one thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_UNWIND_IMAGE_H
#define FLAME_PROF_RECORD_SYSTEM_UNWIND_IMAGE_H

#include "symbols/system/elf_file.h"
#include "unwind/call_frame.h"

#include <stdbool.h>
#include <stdint.h>

// The file's .eh_frame, by its section or else by its program header, and what .init and
// .fini are. False when it has no .eh_frame that can be read.
bool unwind_image_frames(const struct elf_file *file, struct call_frame_table *table);

// The address of what lies at `offset` of the file in a mapping of code. False when no
// segment of code is there.
bool unwind_image_address(const Elf64_Phdr *segments, uint32_t segment_cnt, uint64_t offset,
                          uint64_t *address);

#endif
