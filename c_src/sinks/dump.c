// SPDX-License-Identifier: Apache-2.0
#include "sinks/dump.h"

#include "base/clock.h"

void dump_init(struct dump *dump, struct session *session, struct recording *output,
               struct loss_counters *losses, uint64_t keep_ns, uint64_t max_bytes)
{
    dump->session = session;
    dump->output = output;
    dump->losses = losses;
    dump->plain_field_cnt = session->field_cnt;
    dump_window_init(&dump->window, keep_ns, max_bytes);
}

void dump_note_losses(struct dump *dump)
{
    struct loss_snapshot losses = loss_counters_read(dump->losses);
    dump_window_note_losses(&dump->window, &losses, clock_monotonic_ns());
}

static void set_fields(struct dump *dump, const struct dump_request *request, uint64_t oldest_ns)
{
    struct session *session = dump->session;
    uint64_t kept_ns = oldest_ns == 0 ? 0 : clock_monotonic_ns() - oldest_ns;
    kept_ns = kept_ns < dump->window.keep_ns ? kept_ns : dump->window.keep_ns;
    session->field_cnt = dump->plain_field_cnt;
    for (uint32_t i = 0; i < request->field_cnt; i++) {
        (void)session_set(session, request->fields[i].key, "%s", request->fields[i].value);
    }
    (void)session_set(session, "dump_kept_ns", "%llu", (unsigned long long)kept_ns);
    (void)session_set(session, "dump_dropped_early", "%llu",
                      (unsigned long long)dump->window.early_cnt);
}

static void close_window(struct dump *dump)
{
    dump_window_close(&dump->window);
    dump->session->field_cnt = dump->plain_field_cnt;
}

bool dump_begin(struct dump *dump, const struct dump_request *request, uint64_t oldest_ns,
                struct error *err)
{
    dump_window_open(&dump->window, clock_monotonic_ns(), request->after_ns);
    set_fields(dump, request, oldest_ns);
    bool ok = recording_begin_file(dump->output, dump_window_losses_at_begin(&dump->window), err);
    if (!ok) {
        dump->output->last_error = *err;
        close_window(dump);
    }
    return ok;
}

enum dump_result dump_end(struct dump *dump, struct error *err)
{
    uint32_t finished_cnt = dump->output->files.finished_cnt;
    bool ok = recording_end_file(dump->output, "complete", err);
    bool written = dump->output->files.finished_cnt != finished_cnt;
    close_window(dump);
    dump->window.history_cnt = 0; // told, and not again in the next file
    dump_note_losses(dump);
    return !ok ? DUMP_FAILED : written ? DUMP_WRITTEN : DUMP_EMPTY;
}
