// SPDX-License-Identifier: Apache-2.0
#include "import/input_trouble.h"

void input_trouble_add(struct profile_input_stats *stats, struct text line)
{
    stats->malformed_cnt++;
    if (stats->malformed_cnt > 1) {
        return;
    }
    uint32_t len = line.len < sizeof stats->malformed - 1 ? line.len : sizeof stats->malformed - 1;
    stats->malformed_line = stats->line_cnt;
    for (uint32_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)line.bytes[i];
        stats->malformed[i] = c >= 0x20 && c < 0x7F ? (char)c : c == '\t' ? ' ' : '?';
    }
    stats->malformed[len] = '\0';
}
