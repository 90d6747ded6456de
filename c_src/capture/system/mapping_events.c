// SPDX-License-Identifier: Apache-2.0
#include "capture/system/mapping_events.h"

#include "base/clock.h"
#include "capture/system/cpu_list.h"
#include "capture/system/perf_event.h"
#include "capture/system/perf_record.h"
#include "capture/system/perf_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLOTS = 1024, // a power of two; pids rise, so that the oldest are overwritten
    MAX_RING_BYTES = 1 << 20,
    MIN_RING_BYTES = 32 << 10,
    ALL_RINGS_BYTES = 8 << 20,
};

// An exec takes that long where there is hardly any CPU to be had.
#define MAX_EXEC_NS (1ULL * CLOCK_NS_PER_S)

struct slot {
    uint32_t pid;               // 0 = free
    uint64_t exec_ns;           // when it executed what it runs; 0 = it did not
    struct process_maps maps;   // since then
    struct process_maps before; // those of the program before, at its end
};

struct mapping_events {
    struct slot slots[SLOTS];
    struct perf_stream *streams; // of a CPU each; NULL = somebody else listens
    uint32_t stream_cnt;
    uint32_t ring_bytes;
    uint64_t lost_cnt;
    uint64_t record[PERF_RING_MAX_RECORD_BYTES / 8];
};

// --- processes ------------------------------------------------------------------------

static struct slot *slot_of(struct mapping_events *events, uint32_t pid)
{
    return &events->slots[pid % SLOTS];
}

static void clear(struct slot *slot)
{
    process_maps_deinit(&slot->maps);
    process_maps_deinit(&slot->before);
    *slot = (struct slot){.pid = 0};
}

static struct slot *begin_process(struct mapping_events *events, uint32_t pid)
{
    struct slot *slot = slot_of(events, pid);
    clear(slot);
    slot->pid = pid;
    return slot;
}

static void begin_program(struct mapping_events *events, uint32_t pid, uint64_t time_ns)
{
    struct slot *slot = slot_of(events, pid);
    if (slot->pid != pid) {
        slot = begin_process(events, pid);
    }
    process_maps_deinit(&slot->before);
    slot->before = slot->maps;
    slot->maps = (struct process_maps){0};
    slot->exec_ns = time_ns;
}

// One that began before us is met when it forks: from now on it is known, too.
static const struct slot *parent_of(struct mapping_events *events, uint32_t pid)
{
    struct slot *slot = slot_of(events, pid);
    if (slot->pid != pid) {
        slot = begin_process(events, pid);
        (void)process_maps_read(&slot->maps, pid);
    }
    return slot;
}

bool mapping_events_find(const struct mapping_events *events, uint32_t pid, uint64_t time_ns,
                         struct process_maps *maps)
{
    const struct slot *slot = &events->slots[pid % SLOTS];
    const struct process_maps *known = time_ns < slot->exec_ns ? &slot->before : &slot->maps;
    return slot->pid == pid && known->cnt > 0 && process_maps_copy(maps, known);
}

bool mapping_events_has_changed(const struct mapping_events *events, uint32_t pid, uint64_t time_ns)
{
    const struct slot *slot = &events->slots[pid % SLOTS];
    return slot->pid == pid && time_ns < slot->exec_ns;
}

bool mapping_events_is_in_exec(const struct mapping_events *events, uint32_t pid, uint64_t time_ns,
                               uint64_t pc)
{
    const struct slot *slot = &events->slots[pid % SLOTS];
    return slot->pid == pid && slot->exec_ns != 0 && time_ns >= slot->exec_ns &&
           time_ns - slot->exec_ns < MAX_EXEC_NS && process_maps_find(&slot->maps, pc) == NULL;
}

// --- records --------------------------------------------------------------------------

struct mmap2_record {
    struct perf_event_header header;
    uint32_t pid, tid;
    uint64_t address, len, offset;
    uint32_t dev_major, dev_minor;
    uint64_t inode, inode_generation;
    uint32_t prot, flags;
    char path[];
};

// Of PERF_RECORD_COMM, FORK: who, and from whom.
struct task_record {
    struct perf_event_header header;
    uint32_t pid, other;
};

static void take_mapping(struct mapping_events *events, const struct mmap2_record *record,
                         size_t len)
{
    struct slot *slot = slot_of(events, record->pid);
    bool is_user = (record->header.misc & PERF_RECORD_MISC_CPUMODE_MASK) == PERF_RECORD_MISC_USER;
    if (slot->pid != record->pid || record->pid == 0 || !is_user ||
        record->address + record->len <= record->address) {
        return; // it began before us: /proc/PID/maps has all of it
    }
    struct process_mapping mapping = {
        .start = record->address,
        .end = record->address + record->len,
        .offset = record->offset,
        .inode = record->inode,
        .dev_major = record->dev_major,
        .dev_minor = record->dev_minor,
    };
    size_t room = len - offsetof(struct mmap2_record, path);
    process_maps_insert(&slot->maps, &mapping,
                        (struct text){record->path, (uint32_t)strnlen(record->path, room)});
}

static void take_fork(struct mapping_events *events, const struct task_record *record)
{
    if (record->pid == record->other || record->pid == 0 ||
        slot_of(events, record->pid) == slot_of(events, record->other)) {
        return; // a thread
    }
    const struct slot *parent = parent_of(events, record->other);
    struct slot *child = begin_process(events, record->pid);
    if (parent->maps.cnt == 0 || !process_maps_copy(&child->maps, &parent->maps)) {
        child->pid = 0;
    }
}

// Whose they were is not known: what we have of anybody may be incomplete.
static void take_loss(struct mapping_events *events, const struct perf_event_header *header)
{
    uint64_t lost_cnt = 0;
    memcpy(&lost_cnt, (const char *)header + sizeof *header + 8, sizeof lost_cnt);
    events->lost_cnt += lost_cnt;
    for (uint32_t i = 0; i < SLOTS; i++) {
        clear(&events->slots[i]);
    }
}

static uint64_t time_of(const struct perf_event_header *header, size_t len)
{
    uint64_t time_ns = 0;
    size_t offset = perf_record_time_offset(header);
    if (offset != 0 && offset + sizeof time_ns <= len) {
        memcpy(&time_ns, (const char *)header + offset, sizeof time_ns);
    }
    return time_ns;
}

void mapping_events_take(struct mapping_events *events, const void *record, size_t len)
{
    const struct perf_event_header *header = record;
    const struct task_record *task = record;
    if (header->type == PERF_RECORD_MMAP2 && len > sizeof(struct mmap2_record)) {
        take_mapping(events, record, len);
    } else if (header->type == PERF_RECORD_FORK && len >= sizeof *task) {
        take_fork(events, task);
    } else if (header->type == PERF_RECORD_COMM && len >= sizeof *task &&
               (header->misc & PERF_RECORD_MISC_COMM_EXEC) != 0) {
        begin_program(events, task->pid, time_of(header, len));
    } else if (header->type == PERF_RECORD_LOST && len >= sizeof *header + 16) {
        take_loss(events, header);
    }
}

uint64_t mapping_events_lost(const struct mapping_events *events)
{
    return events->lost_cnt;
}

// --- the kernel's buffers -------------------------------------------------------------

static void on_record(void *context, struct perf_stream *stream,
                      const struct perf_event_header *record)
{
    (void)stream;
    mapping_events_take(context, record, record->size);
}

// A process's fork, exec and mappings may be in the buffers of several CPUs.
bool mapping_events_drain(struct mapping_events *events)
{
    bool had_much = false;
    for (uint32_t i = 0; i < events->stream_cnt; i++) {
        struct perf_ring *ring = &events->streams[i].ring;
        perf_ring_look(ring);
        had_much = had_much || ring->end - ring->at > ring->bytes / 16;
    }
    perf_streams_drain(events->streams, events->stream_cnt, UINT64_MAX, events->record, on_record,
                       events);
    return had_much;
}

static bool open_stream(struct mapping_events *events, uint32_t cpu)
{
    const struct perf_event_wish wish = {
        .event = SYSTEM_EVENT_CPU_CLOCK,
        .cpu = cpu,
        .tid = -1,
        .sees_kernel = true,
        .tells_tasks = true,
        .ring_bytes = events->ring_bytes,
    };
    bool ok = perf_stream_open(&events->streams[events->stream_cnt], &wish);
    events->stream_cnt += ok ? 1 : 0;
    return ok;
}

static bool open_streams(struct mapping_events *events, struct error *err)
{
    struct cpu_list online;
    if (!cpu_list_read_online(&online, err)) {
        return false;
    }
    uint32_t cnt = cpu_list_count(&online);
    events->streams = calloc(cnt + 1, sizeof *events->streams);
    events->ring_bytes = MAX_RING_BYTES;
    while (events->ring_bytes > MIN_RING_BYTES &&
           events->ring_bytes * (uint64_t)cnt > ALL_RINGS_BYTES) {
        events->ring_bytes /= 2;
    }
    for (uint32_t cpu = 0; cpu < CPU_LIST_MAX_CPUS && events->streams != NULL; cpu++) {
        if (cpu_list_has(&online, cpu) && events->stream_cnt < cnt && !open_stream(events, cpu)) {
            return error_os(err, errno, "be told of the mappings made on CPU %u", cpu);
        }
    }
    return events->streams != NULL || error_os(err, ENOMEM, "be told of mappings");
}

struct mapping_events *mapping_events_create(enum mapping_events_mode mode, struct error *err)
{
    struct mapping_events *events = calloc(1, sizeof *events);
    if (events == NULL) {
        (void)error_os(err, ENOMEM, "be told of mappings");
        return NULL;
    }
    if (mode == MAPPING_EVENTS_LISTEN && !open_streams(events, err)) {
        mapping_events_destroy(events);
        return NULL;
    }
    return events;
}

void mapping_events_destroy(struct mapping_events *events)
{
    if (events == NULL) {
        return;
    }
    for (uint32_t i = 0; i < events->stream_cnt; i++) {
        perf_stream_close(&events->streams[i]);
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        clear(&events->slots[i]);
    }
    free(events->streams);
    free(events);
}
