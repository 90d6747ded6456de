// SPDX-License-Identifier: Apache-2.0
#include "capture/system/mapping_events.h"

#include "capture/system/cpu_list.h"
#include "capture/system/perf_ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    SLOTS = 1024, // a power of two; pids rise, so that the oldest are overwritten
    MAX_RING_BYTES = 256 << 10,
    MIN_RING_BYTES = 32 << 10,
    ALL_RINGS_BYTES = 8 << 20,
};

struct slot {
    uint32_t pid; // 0 = free
    struct process_maps maps;
};

struct listener {
    int fd;
    struct perf_ring ring;
};

struct mapping_events {
    struct slot slots[SLOTS];
    struct listener *listeners; // of a CPU each; NULL = somebody else listens
    uint32_t listener_cnt;
    uint32_t ring_bytes;
    uint64_t lost_cnt;
    uint64_t record[PERF_RING_MAX_RECORD_BYTES / 8];
};

// --- processes ------------------------------------------------------------------------

static struct slot *slot_of(struct mapping_events *events, uint32_t pid)
{
    return &events->slots[pid % SLOTS];
}

static struct slot *begin_process(struct mapping_events *events, uint32_t pid)
{
    struct slot *slot = slot_of(events, pid);
    process_maps_deinit(&slot->maps);
    slot->pid = pid;
    return slot;
}

bool mapping_events_find(const struct mapping_events *events, uint32_t pid,
                         struct process_maps *maps)
{
    const struct slot *slot = &events->slots[pid % SLOTS];
    return slot->pid == pid && slot->maps.cnt > 0 && process_maps_copy(maps, &slot->maps);
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
    struct slot *parent = slot_of(events, record->other);
    if (record->pid == record->other || slot_of(events, record->pid) == parent) {
        return; // a thread
    }
    struct slot *child = begin_process(events, record->pid);
    bool is_known = parent->pid == record->other && process_maps_copy(&child->maps, &parent->maps);
    child->pid = is_known ? record->pid : 0;
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
        (void)begin_process(events, task->pid);
    } else if (header->type == PERF_RECORD_LOST && len >= sizeof *header + 16) {
        uint64_t lost_cnt = 0;
        memcpy(&lost_cnt, (const char *)record + sizeof *header + 8, sizeof lost_cnt);
        events->lost_cnt += lost_cnt;
    }
}

uint64_t mapping_events_lost(const struct mapping_events *events)
{
    return events->lost_cnt;
}

// --- the kernel's buffers -------------------------------------------------------------

// True when there was much in it.
static bool drain_ring(struct mapping_events *events, struct perf_ring *ring)
{
    struct perf_event_header header;
    perf_ring_look(ring);
    bool had_much = ring->end - ring->at > ring->bytes / 16;
    while (perf_ring_peek(ring, &header)) {
        mapping_events_take(events, perf_ring_record(ring, header.size, events->record),
                            header.size);
        perf_ring_skip(ring, header.size);
    }
    return had_much;
}

bool mapping_events_drain(struct mapping_events *events)
{
    bool had_much = false;
    for (uint32_t i = 0; i < events->listener_cnt; i++) {
        had_much = drain_ring(events, &events->listeners[i].ring) || had_much;
    }
    return had_much;
}

static bool open_listener(struct mapping_events *events, uint32_t cpu)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof attr,
        .config = PERF_COUNT_SW_DUMMY,
        .mmap = 1,
        .mmap2 = 1,
        .comm = 1,
        .comm_exec = 1,
        .task = 1,
        .watermark = 1, // nobody waits for it
        .wakeup_watermark = events->ring_bytes,
    };
    int fd = (int)syscall(SYS_perf_event_open, &attr, -1, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    struct listener *listener = &events->listeners[events->listener_cnt];
    if (!perf_ring_open(&listener->ring, fd, events->ring_bytes)) {
        int sys_errno = errno;
        (void)close(fd);
        errno = sys_errno;
        return false;
    }
    listener->fd = fd;
    events->listener_cnt++;
    return true;
}

static bool open_listeners(struct mapping_events *events, struct error *err)
{
    struct cpu_list online;
    if (!cpu_list_read_online(&online, err)) {
        return false;
    }
    uint32_t cnt = cpu_list_count(&online);
    events->listeners = calloc(cnt + 1, sizeof *events->listeners);
    events->ring_bytes = MAX_RING_BYTES;
    while (events->ring_bytes > MIN_RING_BYTES &&
           events->ring_bytes * (uint64_t)cnt > ALL_RINGS_BYTES) {
        events->ring_bytes /= 2;
    }
    for (uint32_t cpu = 0; cpu < CPU_LIST_MAX_CPUS && events->listeners != NULL; cpu++) {
        if (cpu_list_has(&online, cpu) && events->listener_cnt < cnt &&
            !open_listener(events, cpu)) {
            return error_os(err, errno, "be told of the mappings made on CPU %u", cpu);
        }
    }
    return events->listeners != NULL || error_os(err, ENOMEM, "be told of mappings");
}

struct mapping_events *mapping_events_create(enum mapping_events_mode mode, struct error *err)
{
    struct mapping_events *events = calloc(1, sizeof *events);
    if (events == NULL) {
        (void)error_os(err, ENOMEM, "be told of mappings");
        return NULL;
    }
    if (mode == MAPPING_EVENTS_LISTEN && !open_listeners(events, err)) {
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
    for (uint32_t i = 0; i < events->listener_cnt; i++) {
        perf_ring_close(&events->listeners[i].ring);
        (void)close(events->listeners[i].fd);
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        process_maps_deinit(&events->slots[i].maps);
    }
    free(events->listeners);
    free(events);
}
