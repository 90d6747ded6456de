// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/perf_map.h"

#include "model/beam_name.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 16 };

static bool parse_hex(const char **at, const char *end, uint64_t *value)
{
    const char *begin = *at;
    uint64_t sum = 0;
    for (; *at < end && *at - begin < 16; (*at)++) {
        char c = **at;
        if (c >= '0' && c <= '9') {
            sum = sum * 16 + (uint64_t)(c - '0');
        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            sum = sum * 16 + (uint64_t)((c | 0x20) - 'a' + 10);
        } else {
            break;
        }
    }
    *value = sum;
    bool is_number = *at > begin && *at < end && **at == ' ';
    *at += is_number ? 1 : 0;
    return is_number;
}

static const char *after_0x(const char *at, const char *end)
{
    return end - at > 2 && at[0] == '0' && at[1] == 'x' ? at + 2 : at;
}

// The Erlang VM writes `$lists:map/2`, and `...-CodeInfoPrologue` for what stands
// before a function: its functions are to be called as elsewhere.
static struct text readable(struct text name, char *bytes, size_t max_bytes)
{
    static const struct text PROLOGUE = {"-CodeInfoPrologue", 17};
    const char *colon = name.len == 0 ? NULL : memchr(name.bytes, ':', name.len);
    if (colon == NULL || name.bytes[0] != '$') {
        return name;
    }
    name.bytes++;
    name.len--;
    if (name.len > PROLOGUE.len &&
        memcmp(name.bytes + name.len - PROLOGUE.len, PROLOGUE.bytes, PROLOGUE.len) == 0) {
        name.len -= PROLOGUE.len;
    }
    return beam_name_printed(name, bytes, max_bytes);
}

static void add_line(struct perf_map *map, const char *at, const char *end)
{
    uint64_t start = 0;
    uint64_t size = 0;
    at = after_0x(at, end);
    if (!parse_hex(&at, end, &start)) {
        map->malformed_cnt++;
        return;
    }
    at = after_0x(at, end);
    if (!parse_hex(&at, end, &size) || size == 0 || at == end) {
        map->malformed_cnt++;
        return;
    }
    struct text name = {at, (uint32_t)(end - at)};
    name.len = (uint32_t)strnlen(name.bytes, name.len);
    char bytes[BEAM_NAME_MAX_BYTES];
    (void)symbol_table_add(&map->table, start, size, SYMBOL_EXACT, 0,
                           readable(name, bytes, sizeof bytes));
}

size_t perf_map_parse(struct perf_map *map, const char *bytes, size_t len)
{
    size_t at = 0;
    const char *newline = NULL;
    while ((newline = memchr(bytes + at, '\n', len - at)) != NULL) {
        add_line(map, bytes + at, newline);
        at = (size_t)(newline - bytes) + 1;
    }
    return at;
}

void perf_map_open(struct perf_map *map, int fd_take, size_t max_bytes)
{
    *map = (struct perf_map){.fd = fd_take};
    symbol_table_init(&map->table, max_bytes);
    map->table.latest_wins = true;
}

static bool has_news(struct perf_map *map)
{
    struct stat status;
    if (map->fd < 0 || fstat(map->fd, &status) != 0) {
        return false;
    }
    uint64_t size = (uint64_t)status.st_size;
    if (size < map->read_bytes) {
        symbol_table_deinit(&map->table);
        map->read_bytes = 0;
    }
    return size > map->read_bytes;
}

// A line longer than the buffer is skipped in pieces, each counted as malformed.
bool perf_map_update(struct perf_map *map)
{
    char bytes[READ_BYTES];
    if (!has_news(map)) {
        return false;
    }
    bool grew = false;
    for (;;) {
        ssize_t got = pread(map->fd, bytes, sizeof bytes, (off_t)map->read_bytes);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        size_t taken = got <= 0 ? 0 : perf_map_parse(map, bytes, (size_t)got);
        if (taken == 0 && got == (ssize_t)sizeof bytes) {
            taken = sizeof bytes;
            map->malformed_cnt++;
        }
        if (taken == 0) {
            break;
        }
        map->read_bytes += taken;
        grew = true;
    }
    symbol_table_finish(&map->table);
    return grew;
}

bool perf_map_find(const struct perf_map *map, uint64_t address, struct text *name)
{
    const struct symbol *symbol = symbol_table_find(&map->table, address);
    if (symbol != NULL) {
        *name = symbol_table_name(&map->table, symbol);
    }
    return symbol != NULL;
}

void perf_map_close(struct perf_map *map)
{
    if (map->fd >= 0) {
        (void)close(map->fd);
    }
    symbol_table_deinit(&map->table);
    *map = (struct perf_map){.fd = -1};
}
