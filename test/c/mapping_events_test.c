// SPDX-License-Identifier: Apache-2.0
// Records as the kernel makes them, and the kernel's own of a child of this test.
#include "capture/system/mapping_events.h"

#include "test.h"

#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct process_maps maps;

static struct mapping_events *create(void)
{
    struct error err = {0};
    struct mapping_events *events = mapping_events_create(MAPPING_EVENTS_LISTEN, &err);
    if (events == NULL) {
        TEST_SKIP("%s", err.detail);
    }
    return events;
}

// What sample_id_all puts behind each record.
struct trailer {
    uint32_t pid, tid;
    uint64_t time_ns;
    uint32_t cpu, padding;
};

static void executed_at(struct mapping_events *events, uint32_t pid, uint64_t time_ns)
{
    struct {
        struct perf_event_header header;
        uint32_t pid, tid;
        char comm[16];
        struct trailer trailer;
    } record = {{PERF_RECORD_COMM, PERF_RECORD_MISC_COMM_EXEC, sizeof record},
                pid,
                pid,
                "x",
                {pid, pid, time_ns, 0, 0}};
    mapping_events_take(events, &record, sizeof record);
}

static void executed(struct mapping_events *events, uint32_t pid)
{
    executed_at(events, pid, 5);
}

static void lost(struct mapping_events *events, uint64_t cnt)
{
    struct {
        struct perf_event_header header;
        uint64_t id, cnt;
        struct trailer trailer;
    } record = {{PERF_RECORD_LOST, 0, sizeof record}, 1, cnt, {0, 0, 9, 0, 0}};
    mapping_events_take(events, &record, sizeof record);
}

static void forked(struct mapping_events *events, uint32_t parent, uint32_t child)
{
    struct {
        struct perf_event_header header;
        uint32_t pid, ppid, tid, ptid;
        uint64_t time;
        struct trailer trailer;
    } record = {{PERF_RECORD_FORK, 0, sizeof record}, child, parent, child, parent, 0, {0}};
    mapping_events_take(events, &record, sizeof record);
}

static void mapped(struct mapping_events *events, uint32_t pid, uint64_t at, const char *path)
{
    struct {
        struct perf_event_header header;
        uint32_t pid, tid;
        uint64_t address, len, offset;
        uint32_t dev_major, dev_minor;
        uint64_t inode, generation;
        uint32_t prot, flags;
        char path[64];
        struct trailer trailer;
    } record = {.header = {PERF_RECORD_MMAP2, PERF_RECORD_MISC_USER, sizeof record},
                .pid = pid,
                .address = at,
                .len = 0x1000,
                .inode = 7};
    (void)snprintf(record.path, sizeof record.path, "%s", path);
    mapping_events_take(events, &record, sizeof record);
}

static bool find_at(struct mapping_events *events, uint32_t pid, uint64_t time_ns)
{
    process_maps_deinit(&maps);
    return mapping_events_find(events, pid, time_ns, &maps);
}

static bool find(struct mapping_events *events, uint32_t pid)
{
    return find_at(events, pid, UINT64_MAX);
}

TEST(a_program_is_known_by_what_it_mapped_since_its_exec)
{
    struct mapping_events *events = create();
    mapped(events, 0x40000001, 0x1000, "/bin/early"); // it began before us
    CHECK(!find(events, 0x40000001));
    executed(events, 0x40000001);
    mapped(events, 0x40000001, 0x8000, "/lib/ld.so");
    mapped(events, 0x40000001, 0x4000, "/lib/libc.so");
    CHECK(find(events, 0x40000001));
    CHECK_UINT(maps.cnt, 2);
    CHECK(text_equal(process_maps_path(&maps, &maps.mappings[0]), TEXT("/lib/libc.so")));
    CHECK_UINT(maps.mappings[1].start, 0x8000);
    mapped(events, 0x40000001, 0x8000, "/lib/other.so"); // over it
    CHECK(find(events, 0x40000001));
    CHECK_UINT(maps.cnt, 2);
    CHECK(text_equal(process_maps_path(&maps, &maps.mappings[1]), TEXT("/lib/other.so")));
    executed(events, 0x40000001);
    CHECK(!find(events, 0x40000001));
    mapping_events_destroy(events);
}

TEST(a_child_has_what_its_parent_had)
{
    struct mapping_events *events = create();
    executed(events, 0x40000001);
    mapped(events, 0x40000001, 0x4000, "/bin/server");
    forked(events, 0x40000001, 0x40000002);
    CHECK(find(events, 0x40000002));
    CHECK_UINT(maps.cnt, 1);
    forked(events, 0x40000001, 0x40000001); // a thread
    CHECK(find(events, 0x40000001));
    forked(events, 0x40000009, 0x4000000a); // of one that is gone, and began before us
    CHECK(!find(events, 0x4000000a));
    forked(events, (uint32_t)getpid(), 0x4000000b); // of one that is there
    CHECK(find(events, 0x4000000b));
    process_maps_deinit(&maps);
    mapping_events_destroy(events);
}

TEST(a_sample_from_before_an_exec_is_of_the_program_before)
{
    struct mapping_events *events = create();
    executed_at(events, 0x40000001, 100);
    mapped(events, 0x40000001, 0x4000, "/bin/sh");
    executed_at(events, 0x40000001, 200);
    mapped(events, 0x40000001, 0x8000, "/bin/true");
    CHECK(mapping_events_has_changed(events, 0x40000001, 199));
    CHECK(!mapping_events_has_changed(events, 0x40000001, 200));
    CHECK(!mapping_events_has_changed(events, 0x40000002, 199));
    CHECK(find_at(events, 0x40000001, 199));
    CHECK_UINT(maps.cnt, 1);
    CHECK_UINT(maps.mappings[0].start, 0x4000);
    CHECK(find_at(events, 0x40000001, 200));
    CHECK_UINT(maps.cnt, 1);
    CHECK_UINT(maps.mappings[0].start, 0x8000);
    process_maps_deinit(&maps);
    mapping_events_destroy(events);
}

TEST(registers_of_the_program_before_are_told_from_those_of_the_program)
{
    struct mapping_events *events = create();
    const uint64_t exec_ns = 5000000000ULL;
    executed_at(events, 0x40000001, exec_ns);
    CHECK(mapping_events_is_in_exec(events, 0x40000001, exec_ns, 0x4010)); // the first thing
    mapped(events, 0x40000001, 0x8000, "/lib/ld.so");
    CHECK(mapping_events_is_in_exec(events, 0x40000001, exec_ns + 1000, 0x4010));
    CHECK(!mapping_events_is_in_exec(events, 0x40000001, exec_ns + 1000, 0x8010));
    CHECK(!mapping_events_is_in_exec(events, 0x40000001, exec_ns - 1, 0x4010));
    CHECK(!mapping_events_is_in_exec(events, 0x40000001, exec_ns + 2000000000ULL, 0x4010));
    CHECK(!mapping_events_is_in_exec(events, 0x40000002, exec_ns + 1000, 0x4010));
    mapping_events_destroy(events);
}

TEST(what_may_be_incomplete_is_forgotten)
{
    struct mapping_events *events = create();
    executed(events, 0x40000001);
    mapped(events, 0x40000001, 0x4000, "/bin/server");
    lost(events, 3);
    CHECK(!find(events, 0x40000001));
    CHECK_UINT(mapping_events_lost(events), 3);
    mapping_events_destroy(events);
}

TEST(the_kernel_tells_of_a_program_that_is_gone)
{
    struct mapping_events *events = create();
    pid_t pid = fork();
    if (pid == 0) {
        (void)execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    int status = 0;
    CHECK_INT(waitpid(pid, &status, 0), pid);
    CHECK_INT(status, 0);
    (void)mapping_events_drain(events);
    CHECK(find(events, (uint32_t)pid));
    CHECK(maps.cnt >= 2);
    bool is_there = false;
    for (uint32_t i = 0; i < maps.cnt; i++) {
        struct text path = process_maps_path(&maps, &maps.mappings[i]);
        is_there = is_there || memmem(path.bytes, path.len, "true", 4) != NULL ||
                   memmem(path.bytes, path.len, "busybox", 7) != NULL;
    }
    CHECK(is_there);
    process_maps_deinit(&maps);
    mapping_events_destroy(events);
    mapping_events_destroy(NULL);
}
