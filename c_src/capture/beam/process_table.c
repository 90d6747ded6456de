// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/process_table.h"

struct search {
    const struct otp_layout *layout;
    struct memory_reader *reader;
    const struct known_process *known;
    size_t known_cnt;
    uint64_t table;
    unsigned match_cnt;
};

static bool holds_all(const struct search *search, uint64_t table)
{
    for (size_t i = 0; i < search->known_cnt; i++) {
        uint64_t slot = otp_layout_slot(search->layout, search->known[i].id);
        uint64_t value = 0;
        if (slot >= search->layout->slot_cnt ||
            !memory_reader_words(search->reader, table + slot * 8, &value, 1) ||
            value != search->known[i].address) {
            return false;
        }
    }
    return true;
}

// Goes on after a match: a second, different one means we do not know.
static bool consider(void *context, uint64_t address, uint64_t word)
{
    struct search *search = context;
    (void)address;
    bool pointer = word > 0xFFFF && word < (1ULL << 47) && word % 8 == 0;
    if (pointer && word != search->table && holds_all(search, word)) {
        search->table = word;
        search->match_cnt++;
    }
    return false;
}

bool process_table_find(struct otp_layout *layout, const struct vm_memory *memory,
                        struct memory_reader *reader, const struct known_process *known,
                        size_t known_cnt, struct error *err)
{
    if (known_cnt < 2) {
        return error_set(err, ERROR_BAD_ARGUMENT, "process table: needs two known processes");
    }
    struct search search = {
        .layout = layout, .reader = reader, .known = known, .known_cnt = known_cnt};
    (void)vm_memory_find(memory, reader, consider, &search);
    if (search.match_cnt != 1) {
        return error_set(err, ERROR_LAYOUT, "process table: %u places fit the known processes",
                         search.match_cnt);
    }
    layout->table_address = search.table;
    return true;
}
