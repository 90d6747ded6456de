// SPDX-License-Identifier: Apache-2.0
#include "store/capture_metrics.h"

#include "model/profile_parts.h"
#include "store/capture_column.h"

#include <stdlib.h>

void capture_metrics_deinit(struct capture_metrics *metrics)
{
    capture_threads_deinit(&metrics->threads);
    free(metrics->sections);
    *metrics = (struct capture_metrics){.section_cnt = 0};
}

static bool keep(struct capture_metrics *metrics, struct capture_metric_section section)
{
    if (metrics->section_cnt == metrics->section_capacity) {
        uint32_t capacity = metrics->section_capacity == 0 ? 64 : metrics->section_capacity * 2;
        struct capture_metric_section *sections =
            realloc(metrics->sections, capacity * sizeof *sections);
        if (sections == NULL) {
            return false;
        }
        metrics->sections = sections;
        metrics->section_capacity = capacity;
    }
    metrics->sections[metrics->section_cnt++] = section;
    return true;
}

bool capture_metrics_keep(struct capture_metrics *metrics, const struct capture_section_head *head,
                          const unsigned char *stored, uint64_t first_row, uint32_t row_cnt)
{
    return keep(metrics,
                (struct capture_metric_section){
                    .head = *head, .stored = stored, .first_row = first_row, .row_cnt = row_cnt});
}

bool capture_metrics_forget(struct capture_metrics *metrics)
{
    return keep(metrics, (struct capture_metric_section){.is_anew = true});
}

// --- when a metric is asked for -------------------------------------------------

struct loading {
    struct capture_threads *threads;
    struct capture_room *room;
    struct profile *profile;
    uint32_t metric;
};

struct metric_entries {
    struct byte_cursor forms[PROFILE_FORM_CNT];
    bool has[PROFILE_FORM_CNT];
};

static bool find_entries(struct byte_cursor *plain, uint32_t metric, struct metric_entries *entries)
{
    while (byte_cursor_left(plain) > 0) {
        uint64_t idx = byte_cursor_varint(plain);
        uint8_t form = byte_cursor_u8(plain);
        struct text bytes = byte_cursor_text(plain);
        if (plain->is_bad) {
            return false;
        }
        if (idx == metric && form < PROFILE_FORM_CNT) {
            entries->forms[form] = byte_cursor_of(bytes.bytes, bytes.len);
            entries->has[form] = true;
        }
    }
    return true;
}

static bool decode_forms(struct loading *loading, const struct capture_metric_section *section,
                         struct metric_entries *entries)
{
    struct profile *profile = loading->profile;
    struct capture_room *room = loading->room;
    uint32_t cnt = section->row_cnt;
    const struct profile_dimension *threads = &profile->dimensions[PROFILE_TID];
    struct profile_metric *of = &profile->metrics[loading->metric];
    struct capture_rows rows = {cnt, room->threads, NULL};
    profile_column_read(&threads->codes, section->first_row, cnt, room->threads);
    if (!capture_column_decode(loading->threads, &entries->forms[PROFILE_DELTA], &rows,
                               room->gains)) {
        return false;
    }
    rows.others = room->gains;
    return capture_column_decode(loading->threads, &entries->forms[PROFILE_VALUE], &rows,
                                 room->values) &&
           profile_column_append(&of->columns[PROFILE_DELTA], room->gains, cnt) &&
           profile_column_append(&of->columns[PROFILE_VALUE], room->values, cnt);
}

static bool load_section(struct loading *loading, const struct capture_metric_section *section)
{
    struct profile_metric *of = &loading->profile->metrics[loading->metric];
    struct metric_entries entries = {0};
    const unsigned char *plain =
        capture_room_unpack(loading->room, &section->head, section->stored);
    if (plain == NULL) {
        return false;
    }
    struct byte_cursor cursor = byte_cursor_of(plain, section->head.plain_bytes);
    if (!find_entries(&cursor, loading->metric, &entries)) {
        return false;
    }
    if (!entries.has[PROFILE_VALUE] || !entries.has[PROFILE_DELTA]) {
        return true;
    }
    uint64_t have = of->columns[PROFILE_VALUE].cnt;
    return have <= section->first_row && profile_metric_skip(of, section->first_row - have) &&
           decode_forms(loading, section, &entries);
}

bool capture_metrics_load(struct capture_metrics *metrics, struct capture_room *room,
                          struct profile *profile, uint32_t metric)
{
    struct profile_metric *of = &profile->metrics[metric];
    struct loading loading = {&metrics->threads, room, profile, metric};
    capture_threads_forget(&metrics->threads);
    for (uint32_t i = 0; i < metrics->section_cnt; i++) {
        const struct capture_metric_section *section = &metrics->sections[i];
        if (section->is_anew) {
            capture_threads_forget(&metrics->threads);
        }
        bool is_in = metric >= (section->head.about & 0xFFFF) && metric < section->head.about >> 16;
        if (is_in && !load_section(&loading, section)) {
            return false;
        }
    }
    return profile_metric_skip(of, profile->row_cnt - of->columns[PROFILE_VALUE].cnt);
}
