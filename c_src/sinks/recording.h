// SPDX-License-Identifier: Apache-2.0
// Samples into finished files: formats with a sink, buffers, rotates by time and
// size, sums per file, survives a full disk. One thread (the writer), never the
// sampling one.
#ifndef FLAME_PROF_SINKS_RECORDING_H
#define FLAME_PROF_SINKS_RECORDING_H

#include "base/byte_buffer.h"
#include "model/loss.h"
#include "sinks/sink.h"
#include "store/file_series.h"

#include <stdbool.h>
#include <stdint.h>

struct recording_options {
    struct file_series_options files;
    const struct sink *sink; // whose suffix the files have; NULL = perf-script text
    uint64_t max_file_ns;    // a file is closed after this long; 0 = never
    uint64_t max_file_bytes; // uncompressed bytes; 0 = no limit
    uint64_t max_held_bytes; // of what the sink holds in memory of a file; 0 = 64 MiB
    uint64_t sync_ns;        // longest time a sample stays in memory; 0 = 1 s
    bool on_demand;          // no file but by recording_begin_file
    // What the recorder has cost since it began, for the footer; NULL: it does not say.
    void (*own_cost)(uint64_t *cpu_ns_ret, uint64_t *rss_bytes_ret);
};

enum { RECORDING_NOTE_KEY_BYTES = 32, RECORDING_NOTE_BYTES = 256 };

enum recording_state {
    RECORDING_CLOSED,
    RECORDING_WRITING, // a file is open
    RECORDING_FAILED,  // the last write failed; retried every RECORDING_RETRY_NS
};

#define RECORDING_RETRY_NS (5ULL * 1000000000ULL)

struct recording {
    const struct sink *sink;
    void *sink_state;
    const struct session *session; // borrowed until recording_close
    struct loss_counters *losses;  // borrowed; write failures are counted here
    struct recording_options options;
    struct file_series files;
    struct byte_buffer buffer;
    enum recording_state state;
    struct error last_error; // why the state is or was FAILED
    struct file_summary summary;
    struct file_summary synced; // the part of `summary` that is on disk
    struct loss_snapshot losses_at_begin;
    uint64_t file_begin_ns;
    uint64_t synced_ns;
    uint64_t failed_ns;
    uint64_t file_text_bytes;
    uint64_t sample_cnt;                     // of all files, written or buffered
    uint32_t begun_cnt;                      // files, the open one included
    char note_key[RECORDING_NOTE_KEY_BYTES]; // "" = none
    char note[RECORDING_NOTE_BYTES];
};

// Checks the directory and begins the first file. `session` and `losses` stay
// the caller's.
bool recording_open(struct recording *recording, const struct session *session,
                    struct loss_counters *losses, const struct recording_options *options,
                    struct error *err);

// On demand only. Begins a file, which counts losses since `losses_at_begin`. False
// with the reason: no file is open then, and nothing is tried again.
bool recording_begin_file(struct recording *recording, const struct loss_snapshot *losses_at_begin,
                          struct error *err);

// On demand only. Finishes the open file with `end_reason` in its footer (an empty
// one is discarded). False, with the reason, when some of it could not be written.
bool recording_end_file(struct recording *recording, const char *end_reason, struct error *err);

// Takes one sample. Never fails: what cannot be written is counted as
// LOSS_WRITE_FAILED and `last_error` says why. Samples come in time order.
void recording_write(struct recording *recording, const struct sample *sample);

// Whether the sink gives stacks numbers.
static inline bool recording_numbers_stacks(const struct recording *recording)
{
    return recording->sink->stack != NULL;
}

// What the sink calls code frames on top of `below`, in the file that is open; for
// sample.stack. 0: it gives them no numbers, or no file is open.
uint32_t recording_stack(struct recording *recording, uint32_t below, const struct frame *frames,
                         uint32_t frame_cnt);

// Says something between two samples, once.
void recording_comment(struct recording *recording, const char *key, const char *value);

// Says something between two samples, and at the beginning of every file from now on;
// the last note only.
void recording_note(struct recording *recording, const char *key, const char *value);

// Call a few times a second: syncs, and rotates when due. A file of a series is closed, too,
// when what the sink holds of it has grown beyond `max_held_bytes`.
void recording_tick(struct recording *recording);

// Memory, of the buffer and what the sink holds.
uint64_t recording_memory_bytes(const struct recording *recording);

// Ends the last file with `end_reason` in its footer (an empty file is
// discarded). False, with the reason, when the last file could not be
// finished. Harmless twice.
bool recording_close(struct recording *recording, const char *end_reason, struct error *err);

#endif
