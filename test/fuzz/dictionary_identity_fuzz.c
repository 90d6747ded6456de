// SPDX-License-Identifier: Apache-2.0
// Any bytes as the memory that a process dictionary is in: what is read of it fits,
// and has a text that fits.
#include "capture/beam/dictionary_identity.h"

#include "record/beam/term_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BASE = 0x10000, INITIAL_KEY = 77 << 6 | 0x0B, ANCESTORS_KEY = 78 << 6 | 0x0B };

struct memory {
    const uint8_t *bytes;
    size_t size;
    uint64_t read_cnt;
};

static bool read_words(void *context, uint64_t address, void *to, uint32_t word_cnt)
{
    struct memory *memory = context;
    memory->read_cnt++;
    if (address < BASE || address - BASE > memory->size ||
        word_cnt * 8ULL > memory->size - (address - BASE)) {
        return false;
    }
    memcpy(to, memory->bytes + (address - BASE), word_cnt * 8ULL);
    return true;
}

static size_t term_bytes(void *context, uint64_t term, char *text, size_t text_bytes)
{
    (void)context;
    return (size_t)snprintf(text, text_bytes, "%llu", (unsigned long long)(term >> 6));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const struct otp_layout layouts[] = {
        {.initial_call_key = INITIAL_KEY,
         .ancestors_key = ANCESTORS_KEY,
         .label_key = 79 << 6 | 11},
        {.initial_call_key = INITIAL_KEY,
         .ancestors_key = ANCESTORS_KEY,
         .label_key = 79 << 6 | 11,
         .binaries_in_bits = true},
    };
    const struct term_texts texts = {NULL, term_bytes, NULL, term_bytes};
    for (int i = 0; i < 2; i++) {
        struct memory memory = {bytes, size, 0};
        struct word_reader reader = {read_words, &memory};
        struct dictionary_identity identity;
        char text[64];
        dictionary_identity_read(&reader, &layouts[i], BASE, 1000, &identity);
        if (identity.label_cnt > PROCESS_LABEL_WORDS || identity.initial[2] > 255 ||
            memory.read_cnt > 10000 ||
            term_text(&texts, identity.label, identity.label_cnt, text, sizeof text) >
                sizeof text) {
            abort();
        }
    }
    return 0;
}
