// SPDX-License-Identifier: Apache-2.0
#include "export/proto_strings.h"

#include "base/utf8.h"

#include <stdlib.h>

enum { OWN_MAX_BYTES = 1 << 20, OWN_MAX_CNT = 4096, VALID_MAX_BYTES = 1 << 30 };

bool proto_strings_init(struct proto_strings *strings, const struct profile *profile,
                        struct byte_buffer *out, uint32_t field)
{
    uint32_t cnt = string_table_count(profile->dictionary.strings) + 1;
    *strings = (struct proto_strings){.profile = profile, .out = out, .field = field, .cnt = 1};
    byte_buffer_init(&strings->valid, VALID_MAX_BYTES);
    strings->own = string_table_create(OWN_MAX_BYTES);
    strings->index = calloc(cnt, sizeof *strings->index);
    strings->own_index = calloc(OWN_MAX_CNT, sizeof *strings->own_index);
    proto_element(out, field, (struct text){NULL, 0});
    return strings->own != NULL && strings->index != NULL && strings->own_index != NULL;
}

void proto_strings_deinit(struct proto_strings *strings)
{
    string_table_destroy(strings->own);
    byte_buffer_deinit(&strings->valid);
    free(strings->index);
    free(strings->own_index);
    *strings = (struct proto_strings){.profile = NULL};
}

static uint32_t add(struct proto_strings *strings, struct text text, uint32_t *index)
{
    if (text.len == 0) {
        return 0;
    }
    if (*index == 0) {
        *index = strings->cnt++;
        proto_utf8(strings->out, strings->field, text, &strings->valid);
    }
    return *index;
}

uint32_t proto_strings_id(struct proto_strings *strings, string_id id)
{
    return add(strings, profile_text(strings->profile, id), &strings->index[id]);
}

uint32_t proto_strings_text(struct proto_strings *strings, struct text text)
{
    string_id id = string_table_intern(strings->own, text);
    return id == 0 || id >= OWN_MAX_CNT ? 0 : add(strings, text, &strings->own_index[id]);
}
