// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/otp_layout.h"

#include <string.h>

static const char *const FIELD_NAMES[] = {
#define LAYOUT_NAME(id, name, otp25, otp27) [id] = (name),
    LAYOUT_FIELDS(LAYOUT_NAME)
#undef LAYOUT_NAME
};

static const int32_t OTP25_OFFSETS[] = {
#define LAYOUT_OTP25(id, name, otp25, otp27) [id] = (otp25),
    LAYOUT_FIELDS(LAYOUT_OTP25)
#undef LAYOUT_OTP25
};

static const int32_t OTP27_OFFSETS[] = {
#define LAYOUT_OTP27(id, name, otp25, otp27) [id] = (otp27),
    LAYOUT_FIELDS(LAYOUT_OTP27)
#undef LAYOUT_OTP27
};

static const struct {
    const char *otp_release;
    const int32_t *offsets;
    enum pid_encoding pid_encoding;
} KNOWN[] = {
    {"25", OTP25_OFFSETS, PID_SLOT_IN_HIGH_WORD},
    {"27", OTP27_OFFSETS, PID_SLOT_IN_LOW_BITS},
    {"29", OTP27_OFFSETS, PID_SLOT_IN_LOW_BITS},
};

const char *layout_field_name(enum layout_field field)
{
    return (unsigned)field < LAYOUT_FIELD_CNT ? FIELD_NAMES[field] : "unknown";
}

bool otp_layout_known(const char *otp_release, struct otp_layout *layout)
{
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++) {
        if (strcmp(KNOWN[i].otp_release, otp_release) == 0) {
            *layout = (struct otp_layout){.pid_encoding = KNOWN[i].pid_encoding};
            memcpy(layout->offset, KNOWN[i].offsets, sizeof layout->offset);
            return true;
        }
    }
    return false;
}

static bool in_regproc(int field)
{
    return field == LAYOUT_REGPROC_P || field == LAYOUT_REGPROC_NAME;
}

// Widths in bytes; the rest are words.
static int32_t width_of(int field)
{
    switch (field) {
    case LAYOUT_GEN_GCS:
        return 2;
    case LAYOUT_STATE:
    case LAYOUT_MSGQ_FLAGS:
        return 4;
    case LAYOUT_INITIAL:
        return 24;
    default:
        return 8;
    }
}

static bool is_left_out(const struct otp_layout *layout, int field)
{
    return field >= LAYOUT_FIRST_OPTIONAL && layout->offset[field] == -1;
}

static bool overlap(const struct otp_layout *layout, int a, int b)
{
    return !is_left_out(layout, b) && in_regproc(a) == in_regproc(b) &&
           layout->offset[a] < layout->offset[b] + width_of(b) &&
           layout->offset[b] < layout->offset[a] + width_of(a);
}

static bool check_field(const struct otp_layout *layout, int field, struct error *err)
{
    int32_t offset = layout->offset[field];
    int32_t alignment = width_of(field) < 8 ? width_of(field) : 8;
    int32_t limit = in_regproc(field) ? LAYOUT_MAX_REGPROC_BYTES : LAYOUT_MAX_PROCESS_BYTES;
    if (is_left_out(layout, field)) {
        return true;
    }
    if (offset < 0 || offset > limit - width_of(field) || offset % alignment != 0) {
        return error_set(err, ERROR_LAYOUT, "layout: field %s at %d: not found or out of range",
                         FIELD_NAMES[field], offset);
    }
    for (int other = 0; other < field; other++) {
        if (overlap(layout, field, other)) {
            return error_set(err, ERROR_LAYOUT, "layout: fields %s and %s share offset %d",
                             FIELD_NAMES[other], FIELD_NAMES[field], offset);
        }
    }
    return true;
}

static uint32_t process_words(const struct otp_layout *layout)
{
    int32_t end = 0;
    for (int field = 0; field < LAYOUT_FIELD_CNT; field++) {
        int32_t field_end = in_regproc(field) ? 0 : layout->offset[field] + width_of(field);
        end = field_end > end ? field_end : end;
    }
    return (uint32_t)(end + 7) / 8;
}

bool otp_layout_finish(struct otp_layout *layout, struct error *err)
{
    for (int field = 0; field < LAYOUT_FIELD_CNT; field++) {
        if (!check_field(layout, field, err)) {
            return false;
        }
    }
    bool table_ok = layout->table_address != 0 && layout->table_address % 8 == 0 &&
                    layout->slot_cnt >= 1024 && (layout->slot_cnt & (layout->slot_cnt - 1)) == 0;
    if (!table_ok) {
        return error_set(err, ERROR_LAYOUT, "layout: no process table");
    }
    layout->process_words = process_words(layout);
    return true;
}
