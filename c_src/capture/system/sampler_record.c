// SPDX-License-Identifier: Apache-2.0
#include "capture/system/sampler_record.h"

#include "sampler.h"

#include <string.h>

_Static_assert((int)SYSTEM_STACK_END_CNT == (int)SAMPLER_UNWIND_END_CNT, "one name per end");
_Static_assert((int)SYSTEM_STACK_32BIT == (int)SAMPLER_UNWIND_32BIT, "ends in the same order");
_Static_assert((int)SYSTEM_STACK_SNAPSHOT == (int)SAMPLER_UNWIND_SNAPSHOT, "in the same order");
// NOLINTNEXTLINE(misc-redundant-expression): that is what it says
_Static_assert(SYSTEM_FRAME_EXACT == SAMPLER_FRAME_EXACT, "one mark");
_Static_assert((int)SYSTEM_MAX_FRAMES == (int)SAMPLER_MAX_FRAMES, "frames of one sample");
_Static_assert((int)SYSTEM_EVENT_CNT == (int)SAMPLER_EVENT_CNT, "one name per event");
_Static_assert((int)SYSTEM_EVENT_CACHE_MISSES == (int)SAMPLER_EVENT_CACHE_MISSES, "same order");
_Static_assert((int)SYSTEM_COMM_BYTES == (int)SAMPLER_COMM_BYTES, "comm of one sample");

// The record's own; where its tail is a ring a copy, turned so that it is leaf first, too.
static const uint64_t *frames_of(const struct sampler_record *record, uint64_t *frames)
{
    if (record->user_omitted == 0 || record->user_cnt != SAMPLER_MAX_USER_FRAMES) {
        return (const uint64_t *)record->frames;
    }
    uint32_t frame_cnt = (uint32_t)record->kernel_cnt + record->user_cnt;
    memcpy(frames, record->frames, frame_cnt * sizeof *frames);
    uint32_t tail_at = (uint32_t)record->kernel_cnt + SAMPLER_USER_HEAD_FRAMES;
    for (uint32_t i = 0; i < SAMPLER_USER_TAIL_FRAMES; i++) {
        uint32_t from = (record->tail_first + i) % SAMPLER_USER_TAIL_FRAMES;
        frames[tail_at + i] = record->frames[tail_at + from];
    }
    return frames;
}

void sampler_record_sample(const struct sampler_record *record, uint64_t *turned,
                           struct system_sample *sample)
{
    *sample = (struct system_sample){
        .time_ns = record->time_ns,
        .pid = record->pid,
        .tid = record->tid,
        .cpu = record->cpu,
        .stack_end = record->unwind_end < SAMPLER_UNWIND_END_CNT
                         ? (enum system_stack_end)record->unwind_end
                         : SYSTEM_STACK_UNREADABLE,
        .address_space = record->address_space,
        .thread_start_ns = record->thread_start_ns,
        .cpu_ns = record->cpu_ns,
        .voluntary_switches = record->voluntary_switches,
        .involuntary_switches = record->involuntary_switches,
        .minor_faults = record->minor_faults,
        .major_faults = record->major_faults,
        .kernel_cnt = record->kernel_cnt,
        .user_cnt = record->user_cnt,
        .user_omitted = record->user_omitted,
        .user_omitted_at = SAMPLER_USER_HEAD_FRAMES,
        .frames = frames_of(record, turned),
        .erlang_pid = record->erlang_pid,
        .event = record->event < SAMPLER_EVENT_CNT ? (enum system_event)record->event
                                                   : SYSTEM_EVENT_CPU_CLOCK,
        .weight = record->weight,
        .run_queue_ns = record->run_queue_ns,
        .state = record->state,
        .waker_tid = record->waker_tid,
        .unread = record->unread,
    };
    memcpy(sample->waker_comm, record->waker_comm, sizeof sample->waker_comm);
    sample->waker_comm[sizeof sample->waker_comm - 1] = '\0';
    memcpy(sample->comm, record->comm, sizeof sample->comm);
    sample->comm[sizeof sample->comm - 1] = '\0';
}

struct system_snapshot sampler_record_snapshot(const struct sampler_record *record)
{
    const __u64 *words = record->frames + record->kernel_cnt;
    return (struct system_snapshot){
        .pc = words[0],
        .sp = words[1],
        .fp = words[2],
        .r13 = words[3],
        .r10 = words[4],
        .r11 = words[5],
        .rax = words[6],
        .rbx = words[7],
        .absent_bytes = (uint32_t)words[8],
        .stack = (const uint64_t *)words + SAMPLER_SNAPSHOT_REGISTERS,
        .stack_bytes = 8 * (record->snapshot_words - (uint32_t)SAMPLER_SNAPSHOT_REGISTERS),
    };
}

bool sampler_record_is_whole(const struct sampler_record *record, size_t size)
{
    if (size < SAMPLER_RECORD_HEADER_BYTES) {
        return false;
    }
    uint32_t frame_cnt = (uint32_t)record->kernel_cnt + record->user_cnt;
    bool fits =
        frame_cnt <= SAMPLER_MAX_FRAMES &&
        frame_cnt + record->snapshot_words <= SAMPLER_MAX_WORDS &&
        (record->snapshot_words == 0 || record->snapshot_words >= SAMPLER_SNAPSHOT_REGISTERS);
    return fits &&
           size >= SAMPLER_RECORD_HEADER_BYTES + 8 * ((size_t)frame_cnt + record->snapshot_words);
}

enum system_event sampler_record_event(const struct sampler_record *record, size_t size)
{
    bool is_told = size >= SAMPLER_RECORD_HEADER_BYTES && record->event < SAMPLER_EVENT_CNT;
    return is_told ? (enum system_event)record->event : SYSTEM_EVENT_CPU_CLOCK;
}
