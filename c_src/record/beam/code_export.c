// SPDX-License-Identifier: Apache-2.0
#include "record/beam/code_export.h"

struct exported {
    struct byte_buffer *text;
    uint32_t cnt;
};

static bool append_name(struct byte_buffer *text, struct text name)
{
    bool ok = true;
    for (uint32_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.bytes[i];
        ok = byte_buffer_append_char(text, c <= ' ' || c == 0x7F ? '_' : (char)c) && ok;
    }
    return ok;
}

static bool append_function(void *context, uint64_t start, uint64_t size_bytes, struct text name)
{
    struct exported *exported = context;
    struct byte_buffer *text = exported->text;
    size_t before = text->len;
    bool ok = byte_buffer_append_hex(text, start, 1) && byte_buffer_append_char(text, ' ') &&
              byte_buffer_append_hex(text, size_bytes, 1) && byte_buffer_append_char(text, ' ') &&
              append_name(text, name) && byte_buffer_append_char(text, '\n');
    if (!ok) {
        byte_buffer_truncate(text, before);
        return false;
    }
    exported->cnt++;
    return true;
}

bool code_export_perf_map(const struct code_map *map, struct byte_buffer *text,
                          uint32_t *function_cnt_ret)
{
    struct exported exported = {text, 0};
    bool whole = code_map_each_function(map, append_function, &exported);
    *function_cnt_ret = exported.cnt;
    return whole;
}

size_t code_export_ranges(const struct code_map *map, struct code_range *ranges, size_t max_cnt)
{
    size_t cnt = 0;
    for (uint32_t i = 0; max_cnt > 0 && i < code_map_module_cnt(map); i++) {
        struct code_range module;
        code_map_module_bounds(map, i, &module.start, &module.end);
        bool joins = cnt > 0 && (module.start - ranges[cnt - 1].end <= CODE_EXPORT_GAP_BYTES ||
                                 cnt == max_cnt);
        if (joins) {
            ranges[cnt - 1].end = module.end;
        } else {
            ranges[cnt++] = module;
        }
    }
    return cnt;
}
