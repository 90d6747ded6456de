// SPDX-License-Identifier: Apache-2.0
// ASYNC-SIGNAL: a part of what the handler on a scheduler's thread reads.
#include "capture/beam/dictionary_identity.h"

#include "capture/beam/term_copy.h"
#include "capture/beam/term_memory.h"

#include <string.h>

enum {
    PAIR_HEADER = 2 << TERM_HEADER_SHIFT,
    TRIPLE_HEADER = 3 << TERM_HEADER_SHIFT,
    DICTIONARY_DATA = 24, // offset of the slots in struct proc_dict
    MAX_ARITY = 255,
};

struct search {
    const struct word_reader *reader;
    const struct otp_layout *layout;
    struct dictionary_identity *identity;
    uint32_t entries_left;
    uint32_t keys_left;
};

static void read_initial(struct search *search, uint64_t term)
{
    uint64_t tuple[4];
    if (!term_memory_boxed(search->reader, term, tuple, 4, NULL) || tuple[0] != TRIPLE_HEADER ||
        !term_is_atom(tuple[1]) || !term_is_atom(tuple[2]) || !term_is_small(tuple[3]) ||
        tuple[3] >> 4 > MAX_ARITY) {
        return;
    }
    search->identity->initial[0] = tuple[1];
    search->identity->initial[1] = tuple[2];
    search->identity->initial[2] = tuple[3] >> 4;
}

static void read_ancestors(struct search *search, uint64_t list)
{
    for (int i = 0; i < PROCESS_ANCESTORS && term_is_cons(list); i++) {
        uint64_t cell[2];
        if (!term_memory_cons(search->reader, list, cell) ||
            (!term_is_atom(cell[0]) && !term_is_pid(cell[0]))) {
            return;
        }
        search->identity->ancestors[i] = cell[0];
        list = cell[1];
    }
}

static void read_value(struct search *search, const uint64_t pair[3])
{
    struct dictionary_identity *identity = search->identity;
    if (pair[1] == search->layout->initial_call_key) {
        read_initial(search, pair[2]);
    } else if (pair[1] == search->layout->ancestors_key) {
        read_ancestors(search, pair[2]);
    } else if (pair[1] == search->layout->label_key) {
        identity->label_cnt = term_copy(search->reader, search->layout->binaries_in_bits, pair[2],
                                        identity->label, PROCESS_LABEL_WORDS);
    } else {
        return;
    }
    search->keys_left--;
}

static bool is_over(const struct search *search)
{
    return search->keys_left == 0 || search->entries_left == 0;
}

static void read_entry(struct search *search, uint64_t term)
{
    uint64_t pair[3];
    if (!term_is_boxed(term) || is_over(search)) {
        return;
    }
    search->entries_left--;
    if (term_memory_boxed(search->reader, term, pair, 3, NULL) && pair[0] == PAIR_HEADER) {
        read_value(search, pair);
    }
}

// A slot holds nothing, a {Key, Value} or a list of them.
static void read_slot(struct search *search, uint64_t slot)
{
    for (int i = 0; i < IDENTITY_MAX_CHAIN && term_is_cons(slot) && !is_over(search); i++) {
        uint64_t cell[2];
        if (!term_memory_cons(search->reader, slot, cell)) {
            return;
        }
        read_entry(search, cell[0]);
        slot = cell[1];
    }
    read_entry(search, slot);
}

// Few at a time: most dictionaries are small, and a handler's stack is.
static void read_slots(struct search *search, uint64_t address, uint32_t cnt)
{
    uint64_t slots[16];
    for (uint32_t first = 0; first < cnt && !is_over(search); first += 16) {
        uint32_t some = cnt - first < 16 ? cnt - first : 16;
        if (!word_reader_read(search->reader, address + first * 8ULL, slots, some)) {
            return;
        }
        for (uint32_t i = 0; i < some; i++) {
            read_slot(search, slots[i]);
        }
    }
}

void dictionary_identity_read(const struct word_reader *reader, const struct otp_layout *layout,
                              uint64_t dictionary, uint32_t max_entries,
                              struct dictionary_identity *identity_ret)
{
    struct search search = {reader, layout, identity_ret, max_entries, 3};
    uint64_t sizes = 0; // u32 sizeMask, u32 usedSlots
    memset(identity_ret, 0, sizeof *identity_ret);
    if (dictionary == 0 || !word_reader_read(reader, dictionary, &sizes, 1)) {
        return;
    }
    uint32_t cnt = (uint32_t)(sizes >> 32);
    read_slots(&search, dictionary + DICTIONARY_DATA,
               cnt < IDENTITY_MAX_SLOTS ? cnt : IDENTITY_MAX_SLOTS);
}
