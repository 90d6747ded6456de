// SPDX-License-Identifier: Apache-2.0
// What an engine's samples cost as a capture, from the sample to the bytes of the chunk:
//
//     capture_speed CAPTURE [ROUNDS]
//
// hands the samples of CAPTURE to the sink again, a chunk per second of their time, and
// prints CPU time and bytes per sample, beside the bar; the best of ROUNDS (5).
#include "base/clock.h"
#include "model/profile.h"
#include "sinks/capture_sink.h"
#include "store/capture_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DEFAULT_ROUNDS = 5, BAR_NS = 300 };

struct replay {
    const struct profile *profile;
    struct session session;
    const char *metric_names[METRIC_MAX_CNT];
    int64_t (*values)[2]; // [row * metric_cnt + metric]
    struct frame *frames;
    uint64_t *first_frame; // of each row
    uint64_t frame_cnt;
    uint64_t frame_capacity;
    struct text *categories;    // of each row
    struct string_table *texts; // of category frames
    struct metric_value metrics[METRIC_MAX_CNT];
};

static double cpu_seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void *must(void *memory)
{
    if (memory == NULL) {
        fprintf(stderr, "capture_speed: out of memory\n");
        exit(1);
    }
    return memory;
}

// --- samples as an engine has them ----------------------------------------------

static void push(struct replay *replay, struct frame frame)
{
    if (replay->frame_cnt == replay->frame_capacity) {
        replay->frame_capacity = replay->frame_capacity * 2 + 4096;
        replay->frames =
            must(realloc(replay->frames, replay->frame_capacity * sizeof *replay->frames));
    }
    replay->frames[replay->frame_cnt++] = frame;
}

static struct text copy_of(const char *format, struct text a, struct text b)
{
    char *name = must(malloc(a.len + b.len + 16));
    int len = sprintf(name, format, (int)a.len, a.bytes, (int)b.len, b.bytes);
    return (struct text){name, (uint32_t)len};
}

// Categories of a kind and value are one text, as the engines' tables have them.
static struct text category_name(struct replay *replay, uint32_t d, uint32_t code)
{
    const struct profile *profile = replay->profile;
    static struct text *names[PROFILE_MAX_DIMENSIONS];
    char digits[PROFILE_DIGITS_BYTES];
    if (names[d] == NULL) {
        names[d] = must(calloc(profile->dimensions[d].value_cnt, sizeof *names[d]));
    }
    if (names[d][code].bytes == NULL) {
        struct text kind = profile_text(profile, profile->dimensions[d].name);
        struct text value = profile_code_text(profile, d, code, digits);
        struct text name = text_equal(kind, TEXT("initial_call"))
                               ? copy_of("{%.*s%.*s}", value, TEXT(""))
                               : copy_of("{%.*s %.*s}", kind, value);
        names[d][code] = string_table_text(replay->texts, string_table_intern(replay->texts, name));
    }
    return names[d][code];
}

static void make_stack(struct replay *replay, uint64_t row)
{
    const struct profile *profile = replay->profile;
    const struct profile_dictionary *names = &profile->dictionary;
    for (stack_id at = profile->stack[row]; at != 0; at = names->nodes[at].parent) {
        const struct profile_frame *frame = &names->frames[names->nodes[at].frame];
        push(replay, (struct frame){.address = frame->address,
                                    .name = profile_text(profile, frame->name),
                                    .line = frame->line,
                                    .texts = string_table_number(names->strings),
                                    .file = profile_text(profile, frame->file)});
    }
    for (uint32_t d = profile->dimension_cnt; d > PROFILE_FIXED_DIMENSION_CNT; d--) {
        uint32_t code = profile_code(profile, d - 1, row);
        if (code != 0) {
            push(replay, (struct frame){.name = category_name(replay, d - 1, code),
                                        .texts = string_table_number(replay->texts),
                                        .file = TEXT("process")});
        }
    }
}

static struct text first_word(const struct profile *profile, uint64_t row)
{
    static const uint32_t DIMENSIONS[] = {PROFILE_STATUS, PROFILE_STATE, PROFILE_COMM};
    for (size_t i = 0; i < sizeof DIMENSIONS / sizeof DIMENSIONS[0]; i++) {
        uint32_t code = profile_code(profile, DIMENSIONS[i], row);
        if (code != 0) {
            return profile_code_text(profile, DIMENSIONS[i], code, NULL);
        }
    }
    return TEXT("");
}

static void make_rows(struct replay *replay)
{
    const struct profile *profile = replay->profile;
    uint32_t metric_cnt = profile->metric_cnt;
    replay->texts = must(string_table_create(SIZE_MAX));
    replay->values = must(calloc(profile->row_cnt * metric_cnt + 1, sizeof *replay->values));
    replay->first_frame = must(calloc(profile->row_cnt + 1, sizeof *replay->first_frame));
    replay->categories = must(calloc(profile->row_cnt + 1, sizeof *replay->categories));
    for (uint32_t m = 0; m < metric_cnt; m++) {
        for (int form = 0; form < PROFILE_FORM_CNT; form++) {
            const struct profile_column *column =
                must((void *)profile_metric_column(profile, m, (enum profile_form)form, NULL));
            for (uint64_t row = 0; row < profile->row_cnt; row++) {
                replay->values[row * metric_cnt + m][form] = profile_column_at(column, row);
            }
        }
    }
    for (uint64_t row = 0; row < profile->row_cnt; row++) {
        replay->first_frame[row] = replay->frame_cnt;
        make_stack(replay, row);
        replay->categories[row] = first_word(profile, row);
    }
    replay->first_frame[profile->row_cnt] = replay->frame_cnt;
}

static void make_session(struct replay *replay)
{
    const struct profile *profile = replay->profile;
    session_init_beam(&replay->session);
    uint32_t event = profile_code(profile, PROFILE_EVENT, 0);
    replay->session.event_name =
        copy_of("%.*s%.*s", profile_code_text(profile, PROFILE_EVENT, event, NULL), TEXT("")).bytes;
    for (uint32_t m = 0; m < profile->metric_cnt && m < METRIC_MAX_CNT; m++) {
        struct text name = profile_text(profile, profile->metrics[m].name);
        replay->metric_names[m] = copy_of("%.*s%.*s", name, TEXT("")).bytes;
    }
    replay->session.metric_names = replay->metric_names;
    replay->session.metric_cnt = profile->metric_cnt;
}

static uint32_t number_of(const struct profile *profile, uint32_t dimension, uint64_t row)
{
    uint32_t code = profile_code(profile, dimension, row);
    return code == 0 ? 0 : (uint32_t)profile->dimensions[dimension].values[code];
}

static struct sample sample_of(struct replay *replay, uint64_t row)
{
    const struct profile *profile = replay->profile;
    for (uint32_t m = 0; m < profile->metric_cnt; m++) {
        const int64_t *from = replay->values[row * profile->metric_cnt + m];
        replay->metrics[m] = (struct metric_value){from[PROFILE_VALUE], from[PROFILE_DELTA]};
    }
    return (struct sample){
        .time_ns = profile->time_ns[row],
        .period_ns = (uint64_t)profile_column_at(&profile->period, row),
        .cpu = number_of(profile, PROFILE_CPU, row),
        .pid = number_of(profile, PROFILE_PID, row),
        .tid = number_of(profile, PROFILE_TID, row),
        .category = replay->categories[row],
        .frames = replay->frames + replay->first_frame[row],
        .frame_cnt = (uint32_t)(replay->first_frame[row + 1] - replay->first_frame[row]),
        .metrics = replay->metrics,
    };
}

// --- the measurement ------------------------------------------------------------

struct cost {
    double writing_s; // with everything
    double making_s;  // of the samples themselves
    uint64_t bytes;
    uint64_t chunk_cnt;
};

static void sync_chunk(void *state, struct byte_buffer *out, struct cost *cost)
{
    (void)CAPTURE_SINK.flush(state, out);
    CAPTURE_SINK.synced(state, true);
    cost->bytes += out->len;
    cost->chunk_cnt++;
    byte_buffer_clear(out);
}

static struct cost write_all(struct replay *replay)
{
    const struct profile *profile = replay->profile;
    struct file_summary summary = {.end_reason = "complete"};
    struct byte_buffer out;
    struct cost cost = {0};
    byte_buffer_init(&out, 64 << 20);
    double begin_s = cpu_seconds();
    uint64_t sum = 0;
    for (uint64_t row = 0; row < profile->row_cnt; row++) {
        struct sample sample = sample_of(replay, row);
        sum += sample.time_ns + (uint64_t)sample.metrics[0].value;
    }
    __asm__ volatile("" : : "r"(sum));
    cost.making_s = cpu_seconds() - begin_s;
    begin_s = cpu_seconds();
    void *state = must(CAPTURE_SINK.create());
    (void)CAPTURE_SINK.begin(state, &out, &replay->session);
    uint64_t synced_ns = profile->row_cnt == 0 ? 0 : profile->time_ns[0];
    for (uint64_t row = 0; row < profile->row_cnt; row++) {
        struct sample sample = sample_of(replay, row);
        if (sample.time_ns - synced_ns >= CLOCK_NS_PER_S) {
            sync_chunk(state, &out, &cost);
            synced_ns = sample.time_ns;
        }
        (void)CAPTURE_SINK.sample(state, &out, &replay->session, &sample);
    }
    (void)CAPTURE_SINK.end(state, &out, &replay->session, &summary);
    cost.bytes += out.len;
    CAPTURE_SINK.destroy(state);
    cost.writing_s = cpu_seconds() - begin_s;
    byte_buffer_deinit(&out);
    return cost;
}

int main(int argc, char **argv)
{
    static struct replay replay;
    struct error err = {0};
    int rounds = argc > 2 ? atoi(argv[2]) : DEFAULT_ROUNDS;
    struct profile *profile = argc > 1 ? capture_reader_open(argv[1], 0, &err) : NULL;
    if (profile == NULL || profile->row_cnt == 0) {
        fprintf(stderr, "capture_speed: %s\n", argc > 1 ? err.detail : "which capture?");
        return 1;
    }
    replay.profile = profile;
    make_session(&replay);
    make_rows(&replay);
    double rows = (double)profile->row_cnt;
    double best_ns = 1e18;
    struct cost cost = {0};
    for (int i = 0; i < rounds; i++) {
        cost = write_all(&replay);
        double ns = (cost.writing_s - cost.making_s) * 1e9 / rows;
        best_ns = ns < best_ns ? ns : best_ns;
    }
    printf("%" PRIu64 " samples, %u metrics, %.1f frames, %" PRIu64 " chunks: %.0f ns of CPU time "
           "(bar %d) and %.2f bytes a sample\n",
           profile->row_cnt, profile->metric_cnt, (double)replay.frame_cnt / rows, cost.chunk_cnt,
           best_ns, BAR_NS, (double)cost.bytes / rows);
    return 0; // its memory goes with it
}
