// SPDX-License-Identifier: Apache-2.0
// The numbers of the capture file, docs/capture-format.md has them all. What is here
// never changes its meaning; what is added has a new number, and readers skip what
// they do not know.
#ifndef FLAME_PROF_STORE_CAPTURE_FORMAT_H
#define FLAME_PROF_STORE_CAPTURE_FORMAT_H

#include <stdint.h>

#define CAPTURE_MAGIC                                                                              \
    "\x89"                                                                                         \
    "FPC\r\n\x1A\n"
#define CAPTURE_SUFFIX ".fpc"

enum {
    CAPTURE_VERSION = 2,           // a reader refuses others
    CAPTURE_HEAD_BYTES = 16,       // of the file
    CAPTURE_CHUNK_BYTES = 16,      // head of a chunk
    CAPTURE_MAX_ROWS = 1 << 20,    // of a chunk
    CAPTURE_MAX_BYTES = 256 << 20, // of a chunk
    CAPTURE_MAX_PLAIN = 64 << 20,  // of a section
    CAPTURE_SLOTS = 16384,         // threads that a column knows
    CAPTURE_CELL_NS = 20000000,
};

enum capture_chunk {
    CAPTURE_CHUNK_ROWS = 1, // samples, and what they refer to
    CAPTURE_CHUNK_END = 2,  // nothing follows
};

enum capture_section {
    CAPTURE_SECTION_NAMES = 1,   // new strings, frames, stacks, dimensions, metrics, sources
    CAPTURE_SECTION_ROWS = 2,    // times, stacks, periods, codes
    CAPTURE_SECTION_METRICS = 3, // some metric columns
    CAPTURE_SECTION_CELLS = 4,   // sums of cells of time
};

enum capture_codec { CAPTURE_STORED = 0, CAPTURE_ZSTD = 1 };

enum capture_encoding {
    CAPTURE_SAME = 0,    // one number for all rows; tells the threads nothing
    CAPTURE_PLAIN = 1,   // a number per row
    CAPTURE_STEPS = 2,   // difference to the row before
    CAPTURE_OWN = 3,     // 0: as in the thread's row before; else number + 1
    CAPTURE_NEXT = 4,    // 0: what followed the row before's number last time
    CAPTURE_GAINED = 5,  // difference to the thread's row before plus this row's delta
    CAPTURE_ELAPSED = 6, // difference to the time since the thread's row before
    CAPTURE_FEW = 16,    // added: only tokens other than 0 are told
};

enum capture_rows_flag {
    CAPTURE_ROWS_ANEW = 1, // nothing is known of the threads
};

enum capture_presence {
    CAPTURE_PRESENT_NOWHERE = 0, // no columns either
    CAPTURE_PRESENT_EVERYWHERE = 1,
    CAPTURE_PRESENT_BITS = 2, // a bit per row, lowest first
};

struct capture_section_head {
    uint8_t kind; // enum capture_section
    uint8_t codec;
    uint16_t zero;
    uint32_t about; // metrics: the first | the one behind the last << 16; rows: flags
    uint32_t stored_bytes;
    uint32_t plain_bytes;
};
_Static_assert(sizeof(struct capture_section_head) == 16, "part of the format");

#endif
