// SPDX-License-Identifier: Apache-2.0
// For writing a chunk's columns: of each row, which one of the chunk had its thread's slot
// (store/capture_threads.h) before it. Made once, asked for each column, whose slots are then
// read once and written once per thread instead of per row. One owner, one thread.
#ifndef FLAME_PROF_STORE_CAPTURE_CHAIN_H
#define FLAME_PROF_STORE_CAPTURE_CHAIN_H

#include "store/capture_threads.h"

enum { CAPTURE_CHAIN_BLOCK = 8 }; // rows

// A row that is the first of its thread, or whose slot another thread had before it.
struct capture_chain_first {
    uint32_t row;
    bool asks_slot; // what the slot holds from chunks before; else nothing is known
};

// A zeroed struct is empty.
struct capture_chain {
    uint32_t *before; // of each row: a row of its thread; itself where it is among `firsts`
    struct capture_chain_first *firsts;
    uint32_t first_cnt;
    bool *with_first; // of each block of rows: has it one of `firsts`?
    uint32_t *lasts;  // rows whose slots no other takes after them
    uint32_t last_cnt;
    uint32_t capacity;
    int32_t *row_of_slot; // while it is made; else -1 everywhere
};

void capture_chain_deinit(struct capture_chain *chain);

// Of the rows with these threads' codes. False when out of memory.
bool capture_chain_make(struct capture_chain *chain, const int64_t *codes, uint32_t cnt);

#endif
