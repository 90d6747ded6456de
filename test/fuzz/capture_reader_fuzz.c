// SPDX-License-Identifier: Apache-2.0
// Any bytes as a capture, with their checksums made right, read to the last column.
#include "base/crc32c.h"
#include "store/capture_format.h"
#include "store/capture_reader.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { MAX_BYTES = 64 << 20 };

static void mend(uint8_t *bytes, size_t len)
{
    for (size_t at = CAPTURE_HEAD_BYTES; at + CAPTURE_CHUNK_BYTES <= len;) {
        uint32_t head[4];
        memcpy(head, bytes + at, sizeof head);
        size_t left = len - at - CAPTURE_CHUNK_BYTES;
        head[1] = head[1] > left ? (uint32_t)left : head[1];
        head[2] = crc32c(bytes + at + CAPTURE_CHUNK_BYTES, head[1]);
        head[3] = crc32c(head, 12);
        memcpy(bytes + at, head, sizeof head);
        at += CAPTURE_CHUNK_BYTES + head[1];
    }
}

static void read_all(const struct profile *profile)
{
    uint64_t sum = 0;
    for (uint64_t row = 0; row < profile->row_cnt; row++) {
        sum += profile->time_ns[row] + profile->dictionary.nodes[profile->stack[row]].frame;
        for (uint32_t i = 0; i < profile->dimension_cnt; i++) {
            char digits[PROFILE_DIGITS_BYTES];
            sum += profile_code_text(profile, i, profile_code(profile, i, row), digits).len;
        }
    }
    for (uint32_t i = 0; i < profile->metric_cnt; i++) {
        const struct profile_column *column =
            profile_metric_column(profile, i, PROFILE_VALUE, NULL);
        for (uint64_t row = 0; column != NULL && row < profile->row_cnt; row++) {
            sum += (uint64_t)profile_column_at(column, row) +
                   profile_metric_present(&profile->metrics[i], row);
        }
    }
    __asm__ volatile("" : : "r"(sum)); // is used
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len + 1);
    memcpy(copy, bytes, len);
    mend(copy, len);
    struct profile *profile = capture_reader_take(copy, len, MAX_BYTES, NULL);
    if (profile != NULL) {
        read_all(profile);
    }
    profile_destroy(profile);
    return 0;
}
