// SPDX-License-Identifier: Apache-2.0
#include "store/capture_names.h"

static bool put(struct byte_buffer *out, uint64_t value)
{
    unsigned char bytes[10];
    size_t len = 0;
    while (value >= 0x80) {
        bytes[len++] = (unsigned char)(value | 0x80);
        value >>= 7;
    }
    bytes[len++] = (unsigned char)value;
    return byte_buffer_append(out, bytes, len);
}

static bool put_signed(struct byte_buffer *out, int64_t value)
{
    return put(out, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

static bool put_u8(struct byte_buffer *out, unsigned value)
{
    return byte_buffer_append_char(out, (char)value);
}

static bool put_text(struct byte_buffer *out, struct text text)
{
    return put(out, text.len) && byte_buffer_append_text(out, text);
}

// A list begins with its kind and its length, which is known at its end.
static size_t begin_list(struct byte_buffer *out, enum capture_list kind)
{
    static const uint32_t LENGTH = 0;
    (void)put_u8(out, kind);
    (void)byte_buffer_append(out, &LENGTH, sizeof LENGTH);
    return out->len;
}

static bool end_list(struct byte_buffer *out, size_t begin)
{
    if (out->overflowed) {
        return false;
    }
    uint32_t len = (uint32_t)(out->len - begin);
    memcpy(out->bytes + begin - sizeof len, &len, sizeof len);
    return true;
}

static bool write_strings(const struct profile *profile, struct capture_names_mark *mark,
                          struct byte_buffer *out)
{
    uint32_t first = mark->string_cnt == 0 ? 1 : mark->string_cnt;
    uint32_t end = string_table_count(profile->dictionary.strings);
    mark->string_cnt = end;
    if (first >= end) {
        return true;
    }
    size_t list = begin_list(out, CAPTURE_LIST_STRINGS);
    (void)put(out, end - first);
    for (uint32_t id = first; id < end; id++) {
        (void)put_text(out, profile_text(profile, id));
    }
    return end_list(out, list);
}

static bool write_frames(const struct profile *profile, struct capture_names_mark *mark,
                         struct byte_buffer *out)
{
    uint32_t first = mark->frame_cnt == 0 ? 1 : mark->frame_cnt;
    uint32_t end = profile->dictionary.frame_cnt;
    mark->frame_cnt = end;
    if (first >= end) {
        return true;
    }
    size_t list = begin_list(out, CAPTURE_LIST_FRAMES);
    (void)put(out, end - first);
    for (uint32_t id = first; id < end; id++) {
        const struct profile_frame *frame = &profile->dictionary.frames[id];
        (void)put(out, frame->name);
        (void)put(out, frame->file);
        (void)put(out, frame->line);
        (void)put_u8(out, frame->kind);
        (void)put(out, frame->address);
    }
    return end_list(out, list);
}

static bool write_stacks(const struct profile *profile, struct capture_names_mark *mark,
                         struct byte_buffer *out)
{
    uint32_t first = mark->node_cnt == 0 ? 1 : mark->node_cnt;
    uint32_t end = profile->dictionary.node_cnt;
    mark->node_cnt = end;
    if (first >= end) {
        return true;
    }
    size_t list = begin_list(out, CAPTURE_LIST_STACKS);
    (void)put(out, end - first);
    for (uint32_t id = first; id < end; id++) {
        const struct profile_node *node = &profile->dictionary.nodes[id];
        (void)put(out, id - node->parent);
        (void)put(out, node->frame);
    }
    return end_list(out, list);
}

static bool write_dimension(const struct profile *profile, uint32_t idx,
                            struct capture_names_mark *mark, struct byte_buffer *out)
{
    const struct profile_dimension *dimension = &profile->dimensions[idx];
    uint8_t flags = (uint8_t)(1 + dimension->is_root_frame);
    uint32_t first = mark->value_cnts[idx] == 0 ? 1 : mark->value_cnts[idx];
    if (first == dimension->value_cnt && mark->dimension_flags[idx] == flags) {
        return true;
    }
    mark->value_cnts[idx] = dimension->value_cnt;
    mark->dimension_flags[idx] = flags;
    size_t list = begin_list(out, CAPTURE_LIST_DIMENSION);
    (void)put(out, idx);
    (void)put(out, dimension->name);
    (void)put_u8(out, dimension->kind);
    (void)put_u8(out, dimension->is_root_frame);
    (void)put(out, first);
    (void)put(out, dimension->value_cnt - first);
    for (uint32_t code = first; code < dimension->value_cnt; code++) {
        (void)put_signed(out, dimension->values[code]);
    }
    return end_list(out, list);
}

static bool write_metric(const struct profile *profile, uint32_t idx,
                         struct capture_names_mark *mark, struct byte_buffer *out)
{
    const struct profile_metric *metric = &profile->metrics[idx];
    uint8_t flags = (uint8_t)(1 + metric->has_delta);
    if (mark->metric_flags[idx] == flags) {
        return true;
    }
    mark->metric_flags[idx] = flags;
    size_t list = begin_list(out, CAPTURE_LIST_METRIC);
    (void)put(out, idx);
    (void)put(out, metric->name);
    (void)put(out, metric->unit);
    (void)put_u8(out, metric->has_delta);
    return end_list(out, list);
}

static bool write_source(const struct profile *profile, uint32_t idx,
                         struct capture_names_mark *mark, struct byte_buffer *out)
{
    const struct profile_source *source = &profile->sources[idx];
    uint8_t flags = (uint8_t)(1 + source->is_incomplete);
    uint32_t first = mark->fact_cnts[idx];
    if (mark->source_flags[idx] == flags && first == source->fact_cnt) {
        return true;
    }
    mark->source_flags[idx] = flags;
    mark->fact_cnts[idx] = source->fact_cnt;
    size_t list = begin_list(out, CAPTURE_LIST_SOURCE);
    (void)put(out, idx);
    (void)put(out, source->name);
    (void)put(out, source->anchor.monotonic_ns);
    (void)put(out, source->anchor.unix_ns);
    (void)put_u8(out, source->is_incomplete);
    (void)put(out, source->fact_cnt - first);
    for (uint32_t i = first; i < source->fact_cnt; i++) {
        (void)put(out, source->facts[i].key);
        (void)put(out, source->facts[i].value);
        (void)put_u8(out, source->facts[i].is_footer);
    }
    return end_list(out, list);
}

static bool write_mappings(const struct profile *profile, struct capture_names_mark *mark,
                           struct byte_buffer *out)
{
    uint32_t first = mark->mapping_cnt;
    mark->mapping_cnt = profile->mapping_cnt;
    if (first == profile->mapping_cnt) {
        return true;
    }
    size_t list = begin_list(out, CAPTURE_LIST_MAPPINGS);
    (void)put(out, profile->mapping_cnt - first);
    for (uint32_t i = first; i < profile->mapping_cnt; i++) {
        const struct profile_mapping *mapping = &profile->mappings[i];
        (void)put(out, mapping->file);
        (void)put(out, mapping->build_id);
        (void)put(out, mapping->start);
        (void)put(out, mapping->end);
        (void)put(out, mapping->offset);
    }
    return end_list(out, list);
}

static bool write_stats(const struct profile *profile, struct capture_names_mark *mark,
                        struct byte_buffer *out)
{
    const struct profile_input_stats *stats = &profile->stats;
    uint64_t sum = stats->malformed_cnt + stats->dropped_cnt + stats->refused_cnt +
                   stats->line_cnt + stats->byte_cnt;
    if (sum == mark->stats_sum) {
        return true;
    }
    mark->stats_sum = sum;
    size_t list = begin_list(out, CAPTURE_LIST_STATS);
    (void)put(out, stats->byte_cnt);
    (void)put(out, stats->line_cnt);
    (void)put(out, stats->malformed_cnt);
    (void)put(out, stats->dropped_cnt);
    (void)put(out, stats->refused_cnt);
    (void)put(out, stats->unsorted_cnt);
    (void)put(out, stats->malformed_line);
    (void)put_text(out, text_of(stats->malformed));
    return end_list(out, list);
}

bool capture_names_write(const struct profile *profile, struct capture_names_mark *mark,
                         struct byte_buffer *out)
{
    bool ok = write_strings(profile, mark, out) && write_frames(profile, mark, out) &&
              write_stacks(profile, mark, out);
    for (uint32_t i = 0; i < profile->dimension_cnt && ok; i++) {
        ok = write_dimension(profile, i, mark, out);
    }
    for (uint32_t i = 0; i < profile->metric_cnt && ok; i++) {
        ok = write_metric(profile, i, mark, out);
    }
    for (uint32_t i = 0; i < profile->source_cnt && i < CAPTURE_MAX_SOURCES && ok; i++) {
        ok = write_source(profile, i, mark, out);
    }
    return ok && write_mappings(profile, mark, out) && write_stats(profile, mark, out);
}
