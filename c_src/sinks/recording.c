// SPDX-License-Identifier: Apache-2.0
#include "sinks/recording.h"

#include "base/log.h"
#include "sinks/perf_script_sink.h"

#include <stdio.h>
#include <string.h>

enum {
    BUFFER_MAX_BYTES = 16 << 20,
    BUFFER_SYNC_BYTES = 256 << 10, // no need to wait for the clock with this much
    MIN_SAMPLES_PER_FILE = 2,      // Flamescope's flame graph needs two
};
#define DEFAULT_SYNC_NS (1ULL * CLOCK_NS_PER_S)
#define DEFAULT_HELD_BYTES (64ULL << 20)

// ---- one file -------------------------------------------------------------------

static struct loss_snapshot losses_since(const struct loss_snapshot *begin,
                                         struct loss_snapshot now)
{
    for (int i = 0; i < LOSS_REASON_CNT; i++) {
        now.lost[i] -= begin->lost[i];
    }
    for (int i = 0; i < DEGRADED_REASON_CNT; i++) {
        now.degraded[i] -= begin->degraded[i];
    }
    now.ticks_expected -= begin->ticks_expected;
    now.ticks_taken -= begin->ticks_taken;
    return now;
}

static void forget_file(struct recording *recording)
{
    memset(&recording->summary, 0, sizeof recording->summary);
    memset(&recording->synced, 0, sizeof recording->synced);
}

static bool append_note(struct recording *recording)
{
    return recording->note_key[0] == '\0' ||
           recording->sink->note(recording->sink_state, &recording->buffer, recording->note_key,
                                 recording->note);
}

static bool begin_file(struct recording *recording, struct error *err)
{
    byte_buffer_clear(&recording->buffer);
    forget_file(recording);
    recording->file_begin_ns = clock_monotonic_ns();
    recording->synced_ns = recording->file_begin_ns;
    recording->file_text_bytes = 0;
    if (!file_series_begin_file(&recording->files, err)) {
        return false;
    }
    if (!recording->sink->begin(recording->sink_state, &recording->buffer, recording->session) ||
        !append_note(recording)) {
        file_series_discard_file(&recording->files);
        return error_set(err, ERROR_NO_MEMORY, "output: no memory for the file header");
    }
    recording->state = RECORDING_WRITING;
    recording->begun_cnt++;
    return true;
}

static void tell_synced(const struct recording *recording, bool reached)
{
    if (recording->sink->synced != NULL) {
        recording->sink->synced(recording->sink_state, reached);
    }
}

static bool sync_buffer(struct recording *recording, struct error *err)
{
    struct byte_buffer *buffer = &recording->buffer;
    recording->synced_ns = clock_monotonic_ns();
    if (recording->sink->flush != NULL && !recording->sink->flush(recording->sink_state, buffer)) {
        return error_set(err, ERROR_NO_MEMORY, "output: no memory for what is held back");
    }
    if (buffer->len == 0) {
        return true;
    }
    if (!file_series_write(&recording->files, buffer->bytes, buffer->len, err) ||
        !file_series_sync(&recording->files, err)) {
        return false;
    }
    recording->file_text_bytes += buffer->len;
    recording->synced = recording->summary;
    byte_buffer_clear(buffer);
    tell_synced(recording, true);
    return true;
}

static bool write_footer(struct recording *recording, const char *end_reason,
                         const struct loss_snapshot *now, struct error *err)
{
    struct file_summary *summary = &recording->summary;
    summary->end_reason = end_reason;
    summary->losses = losses_since(&recording->losses_at_begin, *now);
    if (recording->options.own_cost != NULL) {
        recording->options.own_cost(&summary->own_cpu_ns, &summary->own_rss_bytes);
    }
    return recording->sink->end(recording->sink_state, &recording->buffer, recording->session,
                                summary) ||
           error_set(err, ERROR_NO_MEMORY, "output: no memory for the file footer");
}

static void count_lost(struct recording *recording, uint64_t cnt)
{
    loss_add(recording->losses, LOSS_WRITE_FAILED, cnt);
    recording->sample_cnt -= cnt;
}

static bool finish_file(struct recording *recording, const char *end_reason, struct error *err)
{
    if (recording->summary.sample_cnt == 0) {
        file_series_discard_file(&recording->files);
        recording->state = RECORDING_CLOSED;
        return true;
    }
    struct loss_snapshot now = loss_counters_read(recording->losses);
    uint32_t finished_cnt = recording->files.finished_cnt;
    bool written = write_footer(recording, end_reason, &now, err) && sync_buffer(recording, err);
    recording->state = RECORDING_CLOSED;
    if (recording->synced.sample_cnt == 0) { // nothing of it reached the disk
        file_series_discard_file(&recording->files);
        return false;
    }
    bool ok = file_series_finish_file(&recording->files, written ? err : NULL) && written;
    if (recording->files.finished_cnt == finished_cnt) { // its directory is gone
        count_lost(recording, recording->summary.sample_cnt);
        forget_file(recording);
    }
    if (ok) { // told in a footer
        recording->losses_at_begin = now;
    }
    return ok;
}

// What reached the disk is kept and finished; what was still in memory is lost
// and counted.
static void give_up_file(struct recording *recording, const struct error *why)
{
    uint64_t lost = recording->summary.sample_cnt - recording->synced.sample_cnt;
    recording->last_error = *why;
    recording->failed_ns = clock_monotonic_ns();
    log_error("%s; %llu samples lost, tried again every 5 s", why->detail,
              (unsigned long long)lost);
    count_lost(recording, lost);
    recording->summary = recording->synced;
    byte_buffer_clear(&recording->buffer);
    tell_synced(recording, false);
    if (recording->files.fd >= 0) {
        (void)finish_file(recording, "write failed", NULL);
    }
    recording->state = RECORDING_FAILED;
}

// ---- the stream -----------------------------------------------------------------

static void destroy_sink(struct recording *recording)
{
    if (recording->sink_state != NULL) {
        recording->sink->destroy(recording->sink_state);
        recording->sink_state = NULL;
    }
}

bool recording_open(struct recording *recording, const struct session *session,
                    struct loss_counters *losses, const struct recording_options *options,
                    struct error *err)
{
    const struct sink *sink = options->sink == NULL ? &PERF_SCRIPT_SINK : options->sink;
    memset(recording, 0, sizeof *recording);
    recording->sink = sink;
    recording->session = session;
    recording->losses = losses;
    recording->options = *options;
    if (recording->options.sync_ns == 0) {
        recording->options.sync_ns = DEFAULT_SYNC_NS;
    }
    if (recording->options.max_held_bytes == 0) {
        recording->options.max_held_bytes = DEFAULT_HELD_BYTES;
    }
    if (sink->create != NULL) {
        recording->sink_state = sink->create();
        if (recording->sink_state == NULL) {
            return error_set(err, ERROR_NO_MEMORY, "output: out of memory");
        }
    }
    if (!file_series_open(&recording->files, &options->files, err)) {
        destroy_sink(recording);
        return false;
    }
    byte_buffer_init(&recording->buffer, BUFFER_MAX_BYTES);
    recording->losses_at_begin = loss_counters_read(losses);
    if (!recording->options.on_demand && !begin_file(recording, err)) {
        file_series_close(&recording->files);
        byte_buffer_deinit(&recording->buffer);
        destroy_sink(recording);
        return false;
    }
    return true;
}

static void add_totals(struct recording *recording, const struct sample *sample)
{
    struct file_summary *summary = &recording->summary;
    summary->sample_cnt++;
    summary->period_total_ns += sample->period_ns;
    for (uint32_t i = 0; i < recording->session->metric_cnt; i++) {
        const struct metric_value *metric = &sample->metrics[i];
        struct metric_value *total = &summary->metric_totals[i];
        // Unsigned: sums of garbage wrap.
        total->value = (int64_t)((uint64_t)total->value + (uint64_t)metric->value);
        total->delta = (int64_t)((uint64_t)total->delta + (uint64_t)metric->delta);
    }
    recording->sample_cnt++;
}

void recording_write(struct recording *recording, const struct sample *sample)
{
    if (recording->state != RECORDING_WRITING) {
        loss_add(recording->losses, LOSS_WRITE_FAILED, 1);
        return;
    }
    size_t mark = recording->buffer.len;
    if (!recording->sink->sample(recording->sink_state, &recording->buffer, recording->session,
                                 sample)) {
        byte_buffer_truncate(&recording->buffer, mark);
        recording->buffer.overflowed = false;
        loss_add(recording->losses, LOSS_NO_MEMORY, 1);
        return;
    }
    add_totals(recording, sample);
    if (recording->buffer.len >= BUFFER_SYNC_BYTES) {
        struct error err = {0};
        if (!sync_buffer(recording, &err)) {
            give_up_file(recording, &err);
        }
    }
}

uint32_t recording_stack(struct recording *recording, uint32_t below, const struct frame *frames,
                         uint32_t frame_cnt)
{
    bool can = recording->state == RECORDING_WRITING && recording->sink->stack != NULL;
    return can ? recording->sink->stack(recording->sink_state, below, frames, frame_cnt) : 0;
}

void recording_comment(struct recording *recording, const char *key, const char *value)
{
    size_t mark = recording->buffer.len;
    if (recording->state == RECORDING_WRITING &&
        !recording->sink->note(recording->sink_state, &recording->buffer, key, value)) {
        byte_buffer_truncate(&recording->buffer, mark);
        recording->buffer.overflowed = false;
    }
}

void recording_note(struct recording *recording, const char *key, const char *value)
{
    (void)snprintf(recording->note_key, sizeof recording->note_key, "%s", key);
    (void)snprintf(recording->note, sizeof recording->note, "%s", value);
    recording_comment(recording, recording->note_key, recording->note);
}

static uint64_t held_bytes(const struct recording *recording)
{
    bool holds = recording->sink_state != NULL && recording->sink->held_bytes != NULL;
    return holds ? recording->sink->held_bytes(recording->sink_state) : 0;
}

static bool rotation_due(const struct recording *recording, uint64_t now_ns)
{
    const struct recording_options *options = &recording->options;
    uint64_t bytes = recording->file_text_bytes + recording->buffer.len;
    bool old =
        options->max_file_ns != 0 && now_ns - recording->file_begin_ns >= options->max_file_ns;
    bool big = options->max_file_bytes != 0 && bytes >= options->max_file_bytes;
    bool large = options->files.naming == FILE_NAMING_SERIES &&
                 held_bytes(recording) >= options->max_held_bytes;
    return (old || big || large) && recording->summary.sample_cnt >= MIN_SAMPLES_PER_FILE;
}

static bool rotate(struct recording *recording, struct error *err)
{
    return finish_file(recording, "complete", err) && begin_file(recording, err);
}

static void retry(struct recording *recording, uint64_t now_ns)
{
    if (now_ns - recording->failed_ns < RECORDING_RETRY_NS) {
        return;
    }
    struct error err = {0};
    recording->failed_ns = now_ns;
    // The first bytes must reach the disk before we believe in it again.
    if (begin_file(recording, &err) && sync_buffer(recording, &err)) {
        return;
    }
    recording->last_error = err;
    file_series_discard_file(&recording->files);
    recording->state = RECORDING_FAILED;
}

// Who ticks once in `sync_ns` has it synced each time.
static uint64_t sync_due_ns(const struct recording_options *options)
{
    return options->sync_ns - options->sync_ns / 16;
}

void recording_tick(struct recording *recording)
{
    uint64_t now_ns = clock_monotonic_ns();
    struct error err = {0};
    bool ok = true;
    if (recording->state == RECORDING_FAILED && !recording->options.on_demand) {
        retry(recording, now_ns);
        return;
    }
    if (recording->state != RECORDING_WRITING) {
        return;
    }
    if (rotation_due(recording, now_ns)) {
        ok = rotate(recording, &err);
    } else if (now_ns - recording->synced_ns >= sync_due_ns(&recording->options)) {
        ok = sync_buffer(recording, &err);
    }
    if (!ok) {
        give_up_file(recording, &err);
    }
}

uint64_t recording_memory_bytes(const struct recording *recording)
{
    return recording->buffer.capacity + held_bytes(recording);
}

bool recording_begin_file(struct recording *recording, const struct loss_snapshot *losses_at_begin,
                          struct error *err)
{
    recording->losses_at_begin = *losses_at_begin;
    return begin_file(recording, err);
}

bool recording_end_file(struct recording *recording, const char *end_reason, struct error *err)
{
    bool ok = recording->state != RECORDING_FAILED;
    if (recording->state == RECORDING_WRITING) {
        struct error last_err = {0};
        ok = sync_buffer(recording, &last_err) && finish_file(recording, end_reason, &last_err);
        if (!ok) {
            give_up_file(recording, &last_err);
        }
    }
    if (!ok && err != NULL) {
        *err = recording->last_error;
    }
    recording->state = RECORDING_CLOSED;
    return ok;
}

bool recording_close(struct recording *recording, const char *end_reason, struct error *err)
{
    if (recording->sink == NULL) {
        return true;
    }
    bool ok = recording_end_file(recording, end_reason, err);
    file_series_close(&recording->files);
    byte_buffer_deinit(&recording->buffer);
    destroy_sink(recording);
    recording->sink = NULL;
    return ok;
}
