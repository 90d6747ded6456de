// SPDX-License-Identifier: Apache-2.0
// The page that export_html writes: what is in it is read back by test/system/export_sums.py
// and a browser; here, what it is made of, and that it holds for any profile.
#include "base/byte_buffer.h"
#include "export/export_format.h"
#include "export/page_block.h"
#include "export/page_order.h"
#include "export/page_rows.h"

#include "query_profile.h"

#include <zlib.h>

static struct error err;
static struct byte_buffer written;

static bool append(void *context, const void *bytes, size_t len, struct error *error)
{
    (void)error;
    return byte_buffer_append(context, bytes, len);
}

static bool refuse(void *context, const void *bytes, size_t len, struct error *error)
{
    (void)context;
    (void)bytes;
    (void)len;
    return error_set(error, ERROR_NO_SPACE, "full");
}

static const struct byte_output OUTPUT = {append, &written};

static void begin(void)
{
    byte_buffer_deinit(&written);
    byte_buffer_init(&written, 16 << 20);
}

// --- blocks -------------------------------------------------------------------------

// What a block's text stands for, inflated.
static size_t unpack(const char *text, size_t len, unsigned char *out, size_t out_len)
{
    static unsigned char packed[1 << 20];
    static const unsigned char ESCAPED[] = {0, '\r', '<', 0x7f};
    uint32_t bits = 0;
    uint32_t bit_cnt = 0;
    uLong cnt = 0;
    uLongf unpacked = out_len;
    for (size_t i = 0; i < len; i++) {
        unsigned char seven = (unsigned char)text[i];
        CHECK(seven != 0 && seven != '\r' && seven != '<' && seven < 0x80);
        if (seven == 0x7f) {
            CHECK(text[i + 1] >= 'a' && text[i + 1] <= 'd');
            seven = ESCAPED[text[++i] - 'a'];
        }
        bits = bits << 7 | seven;
        bit_cnt += 7;
        if (bit_cnt >= 8) {
            bit_cnt -= 8;
            packed[cnt++] = (unsigned char)(bits >> bit_cnt);
        }
    }
    CHECK(uncompress(out, &unpacked, packed, cnt) == Z_OK);
    return unpacked;
}

TEST(a_block_holds_any_bytes)
{
    static unsigned char bytes[200000];
    static unsigned char back[sizeof bytes];
    static const char HEAD[] = "<script type=\"text/plain\" id=\"x\">";
    uint64_t state = 88172645463325252ULL;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)query_random(&state);
    }
    for (size_t len = 0; len < sizeof bytes; len = 3 * len + 1) {
        begin();
        struct page_block *block = page_block_create(&OUTPUT, &err);
        page_block_begin(block, "x", len % 2 == 0 ? ZLIB_EFFORT_RUNS : ZLIB_EFFORT_FULL);
        page_block_write(block, bytes, len / 2);
        page_block_write(block, bytes + len / 2, len - len / 2);
        CHECK(page_block_end(block));
        page_block_destroy(block);
        CHECK(memcmp(written.bytes, HEAD, sizeof HEAD - 1) == 0);
        size_t text_len = written.len - (sizeof HEAD - 1) - strlen("</script>\n");
        CHECK(memcmp(written.bytes + written.len - 10, "</script>\n", 10) == 0);
        CHECK_UINT(unpack(written.bytes + sizeof HEAD - 1, text_len, back, sizeof back), len);
        CHECK(memcmp(back, bytes, len) == 0);
    }
}

TEST(a_block_that_cannot_be_written_says_so)
{
    struct byte_output output = {refuse, NULL};
    struct page_block *block = page_block_create(&output, &err);
    page_block_begin(block, "x", ZLIB_EFFORT_FULL);
    page_block_write(block, "y", 1);
    CHECK(!page_block_end(block));
    CHECK(!page_block_is_ok(block));
    CHECK_STR(err.detail, "full");
    page_block_destroy(block);
}

// --- order --------------------------------------------------------------------------

TEST(rows_of_equal_keys_keep_their_order)
{
    struct page_order order = {.capacity = 0};
    uint64_t state = 88172645463325252ULL;
    static const uint32_t CNTS[] = {0, 1, 2, 40, 49, 300, 5000};
    for (size_t c = 0; c < sizeof CNTS / sizeof CNTS[0]; c++) {
        uint32_t rows[5000];
        uint32_t keys[5000];
        CHECK(page_order_reserve(&order, CNTS[c]));
        for (uint32_t i = 0; i < CNTS[c]; i++) {
            rows[i] = i;
            keys[i] = order.keys[i] = (uint32_t)(query_random(&state) % (c % 2 == 0 ? 7 : 70000));
        }
        page_order_sort(&order, rows, CNTS[c]);
        for (uint32_t i = 1; i < CNTS[c]; i++) {
            uint32_t before = keys[rows[i - 1]];
            uint32_t key = keys[rows[i]];
            CHECK(before < key || (before == key && rows[i - 1] < rows[i]));
        }
    }
    page_order_deinit(&order);
}

TEST(cells_are_those_of_the_heatmap)
{
    static struct query_row made[3000];
    struct profile *profile = random_profile(made, 3000);
    struct selection selection;
    struct page_rows rows;
    struct heatmap heatmap;
    struct page_rows_options options = {.heatmap = {.row_cnt = 7}, .key = PAGE_KEY_STACK};
    CHECK(selection_init(&selection, profile, NULL, NULL, &err));
    CHECK(page_rows_init(&rows, &selection, &options, &err));
    CHECK(heatmap_init(&heatmap, &selection, &options.heatmap, &err));
    uint32_t cell = 0;
    uint32_t full_cnt = 0;
    for (uint32_t i = 0; i < heatmap.column_cnt * heatmap.row_cnt; i++) {
        full_cnt += heatmap.counts[i] > 0 ? 1 : 0;
        if (heatmap.counts[i] > 0) {
            uint32_t first = cell == 0 ? 0 : rows.cells[cell - 1].end;
            CHECK_UINT(rows.cells[cell].cell, i);
            CHECK_UINT(rows.cells[cell].end - first, heatmap.counts[i]);
            cell++;
        }
    }
    CHECK_UINT(rows.cell_cnt, full_cnt);
    heatmap_deinit(&heatmap);
    page_rows_deinit(&rows);
    selection_deinit(&selection);
    profile_destroy(profile);
}

// --- the page -----------------------------------------------------------------------

TEST(pages_of_any_choice_are_whole)
{
    static struct query_row made[3000];
    struct profile *profile = random_profile(made, 3000);
    struct selection selection;
    struct selection_range range = {0, QUERY_S};
    uint32_t dimensions[] = {PROFILE_STATUS, PROFILE_CPU};
    for (uint32_t choice = 0; choice < 32; choice++) {
        CHECK(selection_init(&selection, profile, (choice & 1) != 0 ? &range : NULL, NULL, &err));
        struct export_request request = {
            .selection = &selection,
            .has_weight = (choice & 2) != 0,
            .weight = {(choice & 4) != 0 ? WEIGHT_DELTA : WEIGHT_PERIOD, 0},
            .has_categories = (choice & 8) != 0,
            .flame = {.dimensions = dimensions,
                      .dimension_cnt = choice % 3,
                      .view.splits_lines = (choice & 16) != 0},
        };
        begin();
        CHECK(export_html(&request, &OUTPUT, &err));
        CHECK(memcmp(written.bytes, "<!doctype html>", 15) == 0);
        CHECK(memcmp(written.bytes + written.len - 10, "</script>\n", 10) == 0);
        struct byte_output full = {refuse, NULL};
        CHECK(!export_html(&request, &full, &err));
        selection_deinit(&selection);
    }
    profile_destroy(profile);
}

TEST(too_long_a_recording_is_refused)
{
    struct query_row rows[2] = {QUERY_ROWS[0], QUERY_ROWS[1]};
    struct selection selection;
    rows[1].time_ns = rows[0].time_ns + 400ULL * 24 * 3600 * QUERY_S;
    struct profile *profile = query_profile(rows, 2);
    CHECK(selection_init(&selection, profile, NULL, NULL, &err));
    struct export_request request = {.selection = &selection};
    begin();
    CHECK(!export_html(&request, &OUTPUT, &err));
    CHECK_HAS(err.detail, "--column");
    request.heatmap.column_ns = 3600ULL * QUERY_S;
    begin();
    CHECK(export_html(&request, &OUTPUT, &err));
    selection_deinit(&selection);
    profile_destroy(profile);
}
