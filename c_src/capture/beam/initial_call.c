// SPDX-License-Identifier: Apache-2.0
// Term tags: https://github.com/erlang/otp/blob/OTP-27.3.4.1/erts/emulator/beam/erl_term.h
#include "capture/beam/initial_call.h"

enum {
    TAG_MASK = 3,
    TAG_LIST = 1,
    TAG_BOXED = 2,
    ATOM_MASK = 0x3F,
    ATOM_TAG = 0x0B,
    SMALL_MASK = 0xF,
    SMALL_TAG = 0xF,
    PAIR_HEADER = 2 << 6,
    TRIPLE_HEADER = 3 << 6,
    DICTIONARY_DATA = 24, // offset of the slots in struct proc_dict
};

bool term_is_atom(uint64_t term)
{
    return (term & ATOM_MASK) == ATOM_TAG;
}

static uint64_t pointer_of(uint64_t term)
{
    return term & ~7ULL;
}

static bool is_boxed(uint64_t term)
{
    return (term & TAG_MASK) == TAG_BOXED && pointer_of(term) > 0xFFFF && term < (1ULL << 47);
}

static bool mfa_of(struct memory_reader *reader, uint64_t term, uint64_t mfa_ret[3])
{
    uint64_t tuple[4];
    if (!is_boxed(term) || !memory_reader_words(reader, pointer_of(term), tuple, 4) ||
        tuple[0] != TRIPLE_HEADER || !term_is_atom(tuple[1]) || !term_is_atom(tuple[2]) ||
        (tuple[3] & SMALL_MASK) != SMALL_TAG || tuple[3] >> 4 > 255) {
        return false;
    }
    mfa_ret[0] = tuple[1];
    mfa_ret[1] = tuple[2];
    mfa_ret[2] = tuple[3] >> 4;
    return true;
}

// A slot holds nothing, a {Key, Value} or a list of them.
static bool entry_is_it(struct memory_reader *reader, const struct otp_layout *layout,
                        uint64_t term, uint64_t mfa_ret[3])
{
    uint64_t pair[3];
    return is_boxed(term) && memory_reader_words(reader, pointer_of(term), pair, 3) &&
           pair[0] == PAIR_HEADER && pair[1] == layout->initial_call_key &&
           mfa_of(reader, pair[2], mfa_ret);
}

static bool slot_has_it(struct memory_reader *reader, const struct otp_layout *layout,
                        uint64_t slot, uint64_t mfa_ret[3])
{
    for (int i = 0; i < INITIAL_CALL_MAX_CHAIN && (slot & TAG_MASK) == TAG_LIST; i++) {
        uint64_t cons[2];
        if (!memory_reader_words(reader, pointer_of(slot), cons, 2)) {
            return false;
        }
        if (entry_is_it(reader, layout, cons[0], mfa_ret)) {
            return true;
        }
        slot = cons[1];
    }
    return entry_is_it(reader, layout, slot, mfa_ret);
}

bool initial_call_read(struct memory_reader *reader, const struct otp_layout *layout,
                       uint64_t dictionary, uint64_t mfa_ret[3])
{
    uint64_t header = 0; // u32 sizeMask, u32 usedSlots
    uint64_t slots[INITIAL_CALL_MAX_SLOTS];
    if (dictionary == 0 || !memory_reader_words(reader, dictionary, &header, 1)) {
        return false;
    }
    uint32_t cnt = (uint32_t)(header >> 32);
    cnt = cnt < INITIAL_CALL_MAX_SLOTS ? cnt : INITIAL_CALL_MAX_SLOTS;
    if (cnt == 0 || !memory_reader_words(reader, dictionary + DICTIONARY_DATA, slots, cnt)) {
        return false;
    }
    for (uint32_t i = 0; i < cnt; i++) {
        if (slot_has_it(reader, layout, slots[i], mfa_ret)) {
            return true;
        }
    }
    return false;
}
