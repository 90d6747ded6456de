// SPDX-License-Identifier: Apache-2.0
// How much data the messages in a queue carry outside the receiver's heap.
// process_info/2 counts it as part of the process; we follow the first few
// messages and leave the rest out (a million messages may be waiting).
#ifndef FLAME_PROF_CAPTURE_BEAM_MESSAGE_DATA_H
#define FLAME_PROF_CAPTURE_BEAM_MESSAGE_DATA_H

#include "capture/beam/memory_reader.h"

#include <stdint.h>

enum { MESSAGE_DATA_MAX_MESSAGES = 8, MESSAGE_DATA_MAX_FRAGMENTS = 8 };

struct message_data {
    int64_t words;          // of all messages looked at
    int64_t fragment_words; // of those kept in fragments of their own
};

// `first` is the address of the first message of the inner queue, 0 = none.
struct message_data message_data_read(struct memory_reader *reader, uint64_t first);

#endif
