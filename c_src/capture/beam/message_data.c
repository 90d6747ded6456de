// SPDX-License-Identifier: Apache-2.0
// struct erl_mesg: next, data.attached, m[3], then a heap fragment in place;
// struct erl_heap_fragment: next, off_heap (2 words), alloc_size, used_size.
// https://github.com/erlang/otp/blob/OTP-27.3.4.1/erts/emulator/beam/erl_message.h
#include "capture/beam/message_data.h"

enum {
    MESSAGE_NEXT,
    MESSAGE_ATTACHED,
    MESSAGE_TERM,
    MESSAGE_HEAD_WORDS,
    MESSAGE_FRAGMENT_OFFSET = 40,
    FRAGMENT_NEXT = 0,
    FRAGMENT_USED = 4,
    FRAGMENT_WORDS = 5,
    COMBINED = 1, // ERTS_MSG_COMBINED_HFRAG: the fragment is part of the message
};

static int64_t fragment_words(struct memory_reader *reader, uint64_t address)
{
    int64_t words = 0;
    for (int i = 0; i < MESSAGE_DATA_MAX_FRAGMENTS && address > 0xFFFF; i++) {
        uint64_t fragment[FRAGMENT_WORDS];
        if (!memory_reader_words(reader, address, fragment, FRAGMENT_WORDS)) {
            return words;
        }
        words += (int64_t)(fragment[FRAGMENT_USED] & 0xFFFFFFFFFF);
        address = fragment[FRAGMENT_NEXT];
    }
    return words;
}

// Receive markers and undecoded distribution messages have no term of their own.
static bool is_message(uint64_t term)
{
    return (term & 3) != 0;
}

struct message_data message_data_read(struct memory_reader *reader, uint64_t first)
{
    struct message_data data = {0};
    uint64_t address = first;
    for (int i = 0; i < MESSAGE_DATA_MAX_MESSAGES && address != 0; i++) {
        uint64_t message[MESSAGE_HEAD_WORDS];
        if (!memory_reader_words(reader, address, message, MESSAGE_HEAD_WORDS)) {
            return data;
        }
        if (is_message(message[MESSAGE_TERM]) && message[MESSAGE_ATTACHED] != 0) {
            bool combined = message[MESSAGE_ATTACHED] == COMBINED;
            int64_t words = fragment_words(reader, combined ? address + MESSAGE_FRAGMENT_OFFSET
                                                            : message[MESSAGE_ATTACHED]);
            data.words += words;
            data.fragment_words += combined ? 0 : words;
        }
        address = message[MESSAGE_NEXT];
    }
    return data;
}
