// SPDX-License-Identifier: Apache-2.0
#include "record/beam/term_text.h"

#include "capture/beam/term_copy.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { MAX_DEPTH = 8, ATOM_BYTES = 1024 };

struct writer {
    const struct term_texts *texts;
    const uint64_t *words;
    uint32_t cnt;
    uint32_t at;
    char *text;
    size_t text_bytes;
    size_t len;
    bool is_unknown;
};

static void put(struct writer *writer, const char *bytes, size_t len)
{
    size_t room = writer->text_bytes - writer->len;
    size_t fits = len < room ? len : room;
    memcpy(writer->text + writer->len, bytes, fits);
    writer->len += fits;
}

static void put_char(struct writer *writer, char c)
{
    put(writer, &c, 1);
}

static void put_known(struct writer *writer, uint64_t term,
                      size_t (*text_of_term)(void *context, uint64_t term, char *text,
                                             size_t text_bytes))
{
    char text[ATOM_BYTES];
    size_t len = text_of_term(writer->texts->context, term, text, sizeof text);
    put(writer, text, len);
    writer->is_unknown = writer->is_unknown || len == 0;
}

static void put_small(struct writer *writer, uint64_t term)
{
    char text[32];
    int len = snprintf(text, sizeof text, "%lld", (long long)term_small(term));
    put(writer, text, (size_t)len);
}

// Inside of something else text is in quotes.
static void put_bytes(struct writer *writer, uint64_t byte_cnt, int depth)
{
    uint64_t left = (uint64_t)(writer->cnt - writer->at) * 8;
    uint64_t len = byte_cnt < left ? byte_cnt : left;
    if (depth > 0) {
        put_char(writer, '"');
    }
    put(writer, (const char *)(writer->words + writer->at), len);
    if (depth > 0) {
        put_char(writer, '"');
    }
    writer->at += (uint32_t)((len + 7) / 8);
}

static bool is_letter(uint64_t word)
{
    int64_t c = term_small(word);
    return term_is_small(word) && c >= 0x20 && c < 0x7F;
}

// A list of letters, cut or not.
static bool is_string(const struct writer *writer, uint64_t cnt)
{
    uint32_t left = writer->cnt - writer->at;
    if (cnt == 0 || cnt > left || !is_letter(writer->words[writer->at])) {
        return false;
    }
    for (uint64_t i = 1; i < cnt; i++) {
        uint64_t word = writer->words[writer->at + i];
        if (!is_letter(word) && (i + 1 < cnt || word != TERM_COPY_CUT)) {
            return false;
        }
    }
    return true;
}

static void put_string(struct writer *writer, uint64_t cnt, int depth)
{
    if (depth > 0) {
        put_char(writer, '"');
    }
    for (uint64_t i = 0; i < cnt; i++) {
        uint64_t word = writer->words[writer->at++];
        if (term_is_small(word)) {
            put_char(writer, (char)term_small(word));
        } else {
            put(writer, "..", 2);
        }
    }
    if (depth > 0) {
        put_char(writer, '"');
    }
}

static void put_term(struct writer *writer, int depth);

static void put_elements(struct writer *writer, uint64_t cnt, const char *brackets, int depth)
{
    put_char(writer, brackets[0]);
    for (uint64_t i = 0; i < cnt && writer->at < writer->cnt; i++) {
        if (i > 0) {
            put_char(writer, ',');
        }
        put_term(writer, depth + 1);
    }
    put_char(writer, brackets[1]);
}

static void put_compound(struct writer *writer, uint64_t head, int depth)
{
    uint64_t cnt = head >> TERM_COPY_COUNT_SHIFT;
    switch (depth < MAX_DEPTH ? head & TERM_COPY_HEAD_MASK : TERM_COPY_CUT) {
    case TERM_COPY_TUPLE:
        put_elements(writer, cnt, "{}", depth);
        break;
    case TERM_COPY_LIST:
        if (is_string(writer, cnt)) {
            put_string(writer, cnt, depth);
        } else {
            put_elements(writer, cnt, "[]", depth);
        }
        break;
    case TERM_COPY_BYTES:
        put_bytes(writer, cnt, depth);
        break;
    default:
        put(writer, "..", 2);
    }
}

static void put_term(struct writer *writer, int depth)
{
    uint64_t word = writer->words[writer->at++];
    if (word == TERM_NIL) {
        put(writer, "[]", 2);
    } else if (term_is_atom(word)) {
        put_known(writer, word, writer->texts->atom);
    } else if (term_is_small(word)) {
        put_small(writer, word);
    } else if (term_is_pid(word)) {
        put_known(writer, word, writer->texts->pid);
    } else {
        put_compound(writer, word, depth);
    }
}

size_t term_text(const struct term_texts *texts, const uint64_t *words, uint32_t word_cnt,
                 char *text, size_t text_bytes)
{
    struct writer writer = {texts, words, word_cnt, 0, text, text_bytes, 0, false};
    if (word_cnt > 0) {
        put_term(&writer, 0);
    }
    return writer.is_unknown ? 0 : writer.len;
}
