// SPDX-License-Identifier: Apache-2.0
// A layout that cannot be right is refused, whichever part of it is wrong.
#include "capture/beam/otp_layout.h"

#include "fake_vm.h"

static const char *const RELEASES[] = {"25", "27", "29"};
enum { RELEASE_CNT = 3 };

static struct otp_layout good_layout(const char *release)
{
    struct otp_layout layout;
    CHECK(otp_layout_known(release, &layout));
    layout.table_address = 0x10000;
    layout.slot_cnt = 262144;
    return layout;
}

static bool is_regproc(int field)
{
    return field == LAYOUT_REGPROC_P || field == LAYOUT_REGPROC_NAME;
}

static int32_t width_of(int field)
{
    return field == LAYOUT_INITIAL ? 24 : (int32_t)fake_width((enum layout_field)field);
}

static void check_refused(struct otp_layout layout, int field)
{
    struct error err = {0};
    if (otp_layout_finish(&layout, &err)) {
        TEST_FAIL("field %s at %d was taken", layout_field_name((enum layout_field)field),
                  layout.offset[field]);
    }
    CHECK_INT(err.code, ERROR_LAYOUT);
    CHECK(err.detail[0] != '\0');
}

TEST(the_known_releases_are_sound)
{
    for (int release = 0; release < RELEASE_CNT; release++) {
        struct otp_layout layout = good_layout(RELEASES[release]);
        struct error err = {0};
        if (!otp_layout_finish(&layout, &err)) {
            TEST_FAIL("%s: %s", RELEASES[release], err.detail);
        }
        CHECK(layout.process_words * 8 <= LAYOUT_MAX_PROCESS_BYTES);
        for (int field = 0; field < LAYOUT_FIELD_CNT; field++) {
            CHECK(is_regproc(field) ||
                  layout.offset[field] + width_of(field) <= (int32_t)(8 * layout.process_words));
        }
    }
}

TEST(an_unknown_release_changes_nothing)
{
    static const char *const UNKNOWN[] = {"", "24", "26", "28", "30", "2", "255", "27.0", " 27"};
    for (size_t i = 0; i < sizeof UNKNOWN / sizeof UNKNOWN[0]; i++) {
        struct otp_layout layout;
        struct otp_layout before;
        memset(&layout, 0x5A, sizeof layout);
        memcpy(&before, &layout, sizeof layout);
        CHECK(!otp_layout_known(UNKNOWN[i], &layout));
        CHECK_MEM(&layout, &before, sizeof layout);
    }
}

TEST(names_are_told_apart)
{
    for (int a = 0; a < LAYOUT_FIELD_CNT; a++) {
        for (int b = 0; b < a; b++) {
            CHECK(strcmp(layout_field_name((enum layout_field)a),
                         layout_field_name((enum layout_field)b)) != 0);
        }
    }
    CHECK_STR(layout_field_name(LAYOUT_FIELD_CNT), "unknown");
}

TEST(each_missing_field_is_refused_unless_it_is_optional)
{
    for (int release = 0; release < RELEASE_CNT; release++) {
        for (int field = 0; field < LAYOUT_FIELD_CNT; field++) {
            struct otp_layout layout = good_layout(RELEASES[release]);
            layout.offset[field] = -1;
            if (field < LAYOUT_FIRST_OPTIONAL) {
                check_refused(layout, field);
            } else {
                CHECK(otp_layout_finish(&layout, NULL));
                CHECK(!otp_layout_has(&layout, (enum layout_field)field));
            }
            layout.offset[field] = INT32_MIN;
            check_refused(layout, field);
        }
    }
}

TEST(each_field_out_of_range_is_refused)
{
    for (int field = 0; field < LAYOUT_FIELD_CNT; field++) {
        struct otp_layout layout = good_layout("27");
        int32_t limit = is_regproc(field) ? LAYOUT_MAX_REGPROC_BYTES : LAYOUT_MAX_PROCESS_BYTES;
        const int32_t offsets[] = {
            limit,         limit - width_of(field) + 8 - (width_of(field) & 7),
            limit + 8,     1 << 20,
            INT32_MAX - 7, INT32_MAX};
        for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
            layout.offset[field] = offsets[i];
            check_refused(layout, field);
        }
    }
}

TEST(each_misaligned_field_is_refused)
{
    for (int field = 0; field < LAYOUT_FIELD_CNT; field++) {
        int32_t width = width_of(field) > 8 ? 8 : width_of(field);
        // Far from all others, so that only the alignment is wrong.
        int32_t free_place = is_regproc(field) ? 48 : 960;
        struct otp_layout layout = good_layout("27");
        layout.offset[field] = free_place;
        CHECK(otp_layout_finish(&layout, NULL));
        for (int32_t shift = 1; shift < width; shift++) {
            layout.offset[field] = free_place + shift;
            check_refused(layout, field);
        }
    }
}

TEST(each_overlap_is_refused)
{
    for (int a = 0; a < LAYOUT_FIELD_CNT; a++) {
        for (int b = 0; b < LAYOUT_FIELD_CNT; b++) {
            struct otp_layout layout = good_layout("25");
            if (a == b || is_regproc(a) != is_regproc(b)) {
                continue;
            }
            layout.offset[a] = layout.offset[b];
            check_refused(layout, a);
        }
    }
    struct otp_layout layout = good_layout("25");
    layout.offset[LAYOUT_HTOP] = layout.offset[LAYOUT_INITIAL] + 16; // its last word
    check_refused(layout, LAYOUT_HTOP);
    layout.offset[LAYOUT_HTOP] = layout.offset[LAYOUT_INITIAL] - 8; // right before it
    layout.offset[LAYOUT_HIGH_WATER] = 960;
    CHECK(otp_layout_finish(&layout, NULL));
}

TEST(a_table_that_cannot_be_is_refused)
{
    static const uint64_t SLOTS[] = {0, 1, 512, 1023, 1025, 262143, UINT64_MAX};
    static const uint64_t ADDRESSES[] = {0, 4, 0x10001};
    for (size_t i = 0; i < sizeof SLOTS / sizeof SLOTS[0]; i++) {
        struct otp_layout layout = good_layout("27");
        layout.slot_cnt = SLOTS[i];
        check_refused(layout, 0);
    }
    for (size_t i = 0; i < sizeof ADDRESSES / sizeof ADDRESSES[0]; i++) {
        struct otp_layout layout = good_layout("27");
        layout.table_address = ADDRESSES[i];
        check_refused(layout, 0);
    }
}

TEST(slots_are_found_by_each_encoding)
{
    for (int release = 0; release < RELEASE_CNT; release++) {
        struct fake_vm vm;
        fake_vm_init(&vm, RELEASES[release], 4096);
        for (uint64_t slot = 0; slot < 4096; slot += 13) {
            CHECK_UINT(otp_layout_slot(&vm.layout, fake_pid(&vm, slot, slot % 9)), slot);
        }
        fake_vm_deinit(&vm);
    }
}
