// SPDX-License-Identifier: Apache-2.0
#include "cli/profile_file.h"

#include "cli/profile_replay.h"
#include "cli/profile_source.h"
#include "cli/text_input.h"

#include <stdio.h>

static bool read_lines(struct text_input *input, struct perf_script_reader *reader,
                       struct error *err)
{
    struct text line;
    for (;;) {
        switch (text_input_next(input, &line, err)) {
        case TEXT_INPUT_LINE:
            perf_script_reader_line(reader, line);
            break;
        case TEXT_INPUT_TOO_LONG:
            perf_script_reader_skip(reader);
            break;
        case TEXT_INPUT_END:
            return true;
        case TEXT_INPUT_BROKEN:
            return false;
        }
    }
}

bool profile_file_read_some(char **paths, int cnt, const struct selection_range *range,
                            const struct filter *filter, const struct perf_script_handler *handler,
                            struct perf_script_stats *stats, struct error *err)
{
    struct selection selection;
    struct profile *profile = profile_source_open(paths, cnt, err);
    *stats = (struct perf_script_stats){0};
    bool ok = profile != NULL && selection_init(&selection, profile, range, filter, err);
    if (ok) {
        ok = profile_replay(&selection, handler, stats, err);
        selection_deinit(&selection);
    }
    profile_destroy(profile);
    return ok;
}

static bool read_text(const char *path, const struct perf_script_handler *handler,
                      struct perf_script_stats *stats, struct error *err)
{
    *stats = (struct perf_script_stats){0};
    struct text_input *input = text_input_open(path, err);
    if (input == NULL) {
        return false;
    }
    struct perf_script_reader *reader = perf_script_reader_create(handler);
    bool ok = reader != NULL || error_set(err, ERROR_NO_MEMORY, "%s: out of memory", path);
    if (reader != NULL) {
        ok = read_lines(input, reader, err);
        perf_script_reader_finish(reader);
        *stats = perf_script_reader_stats(reader);
    }
    perf_script_reader_destroy(reader);
    text_input_close(input);
    return ok;
}

bool profile_file_read(const char *path, const struct perf_script_handler *handler,
                       struct perf_script_stats *stats, struct error *err)
{
    char *paths[] = {(char *)path};
    return profile_source_is_capture(path)
               ? profile_file_read_some(paths, 1, NULL, NULL, handler, stats, err)
               : read_text(path, handler, stats, err);
}

void profile_file_print_text(struct text text)
{
    for (uint32_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.bytes[i];
        unsigned char next = i + 1 < text.len ? (unsigned char)text.bytes[i + 1] : 0;
        bool is_c1 = c == 0xC2 && next >= 0x80 && next < 0xA0;
        i += is_c1 ? 1 : 0;
        (void)putchar(c < 0x20 || c == 0x7F || is_c1 ? '?' : c);
    }
}
