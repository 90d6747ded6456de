// SPDX-License-Identifier: Apache-2.0
#include "record/beam/beam_recording_status.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

void beam_recording_status_note_files(struct beam_recording_status *status,
                                      const struct file_series *files)
{
    if (files->finished_cnt == status->finished_file_cnt) {
        return;
    }
    status->finished_file_cnt = files->finished_cnt;
    if (status->kept_file_cnt == BEAM_RECORDING_KEPT_FILES) {
        memmove(status->files[0], status->files[1], sizeof status->files - sizeof status->files[0]);
        status->kept_file_cnt--;
    }
    (void)snprintf(status->files[status->kept_file_cnt++], FILE_SERIES_NAME_BYTES, "%s",
                   files->finished_name);
}

static uint64_t gauge(const _Atomic uint64_t *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

void beam_recording_status_take_walker(struct beam_recording_status *status, struct walker *walker)
{
    const struct walker_gauges *gauges = &walker->gauges;
    status->walker_cpu_ns = gauge(&gauges->cpu_ns);
    status->target_cnt = gauge(&gauges->target_cnt);
    status->explicit_cnt = gauge(&gauges->explicit_cnt);
    status->process_cnt = gauge(&gauges->process_cnt);
    status->select_pass_ns = gauge(&gauges->select_pass_ns);
    status->select_pass_cnt = gauge(&gauges->select_pass_cnt);
    status->refused_target_cnt = gauge(&gauges->refused_target_cnt);
    status->max_late_ns = gauge(&gauges->max_late_ns);
    status->reading_stops = atomic_load_explicit(&gauges->reading_stops, memory_order_relaxed);
    struct memory_reader in_use = {
        .kind = (enum reader_kind)atomic_load_explicit(&gauges->reader_kind, memory_order_relaxed)};
    status->reader = memory_reader_name(&in_use);
    struct walker_pace pace =
        walker_pace_of(&walker->options, status->target_cnt,
                       atomic_load_explicit(&walker->stretch_percent, memory_order_relaxed));
    status->process_interval_ns = pace.process_interval_ns;
    status->sample_interval_ns = pace.sample_interval_ns;
    status->losses = loss_counters_read(&walker->losses);
}
