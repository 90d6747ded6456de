// SPDX-License-Identifier: Apache-2.0
// The one way this process reads its own memory that may vanish or move: two
// backends behind one batch call. A read of a dead address is an error value,
// never a crash. One thread per reader.
#ifndef FLAME_PROF_CAPTURE_BEAM_MEMORY_READER_H
#define FLAME_PROF_CAPTURE_BEAM_MEMORY_READER_H

#include "base/error.h"
#include "capture/beam/word_reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum reader_kind {
    READER_AUTO,
    READER_GUARDED_LOAD,     // cheap; needs SIGSEGV and SIGBUS for itself
    READER_PROCESS_VM_READV, // system calls; works beside other fault handlers
};

struct memory_reader {
    enum reader_kind kind; // the one in use; never READER_AUTO once open
    bool guard_held;
    bool may_fall_back; // READER_AUTO was asked for
    int pid;
    uint64_t unreadable_cnt;
};

// One copy of `word_cnt` 8-byte words; `ok` is the result.
struct memory_read {
    uint64_t address;
    void *to;
    uint32_t word_cnt;
    bool ok;
};

enum { MEMORY_READER_MAX_BATCH = 64 };

// Installs the fault handlers or proves process_vm_readv, by reading one good
// and one bad address. READER_AUTO takes guarded loads when it can.
bool memory_reader_open(struct memory_reader *reader, enum reader_kind kind, struct error *err);
void memory_reader_close(struct memory_reader *reader);

// Once per pass: still allowed to read? When somebody else took SIGSEGV since,
// an automatic reader changes to process_vm_readv; where that is refused, and for
// a fixed guarded reader, this is false until they give it back. False means: read
// nothing.
bool memory_reader_check(struct memory_reader *reader);

// At most MEMORY_READER_MAX_BATCH reads. Returns how many went well.
size_t memory_reader_batch(struct memory_reader *reader, struct memory_read *reads, size_t cnt);

// One read.
bool memory_reader_words(struct memory_reader *reader, uint64_t address, void *to,
                         uint32_t word_cnt);

// The same, for who does not care how; lives as long as `reader`.
struct word_reader memory_reader_word_reader(struct memory_reader *reader);

// "guarded_load" or "process_vm_readv"; static.
const char *memory_reader_name(const struct memory_reader *reader);

#endif
