// SPDX-License-Identifier: Apache-2.0
// How fast `flameprof record` turns samples into text, without the kernel's part:
// queue, counters, names, perf-script text, file. One thread.
//
//   text_speed DIRECTORY SECONDS DEPTH DISTINCT_STACKS
//
// The frames are addresses in the code of this very process (its own, libc's and
// whatever large library it could load), which is named as any other. Prints one
// line of `key=value`.
#include "base/clock.h"
#include "record/system/frame_names.h"
#include "record/system/sample_queue.h"
#include "record/system/thread_counters.h"
#include "sinks/perf_script_sink.h"
#include "sinks/recording.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    MAX_RANGES = 64,
    MAX_DEPTH = 256,
    PLACES = 4096, // different addresses; a busy host has some thousand
    THREADS = 64,
    BATCH = 250, // what 100 ms at 2,500 samples/s hand over
    PERIOD_NS = 1002004,
    HOLD_BACK_NS = 100 * CLOCK_NS_PER_MS,
};

struct range {
    uint64_t start;
    uint64_t end;
};

struct bench {
    struct sample_queue queue;
    struct thread_counters *threads;
    struct process_history *history;
    struct frame_names *names;
    struct session session;
    struct loss_counters losses;
    struct recording output;
    struct named_stack stack;
    struct range ranges[MAX_RANGES];
    uint32_t range_cnt;
    uint64_t places[PLACES];
    uint64_t *stacks; // depth addresses each, leaf first
    uint32_t pid;
    uint32_t depth;
    uint32_t stack_cnt;
    uint64_t frame_cnt;
    uint64_t unnamed_cnt;
};

// The same numbers in every run.
static uint64_t random_number(void)
{
    static uint64_t state = 88172645463325252ULL;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void find_code(struct bench *bench)
{
    char line[4400];
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        struct range range = {0};
        char rights[5] = "";
        if (sscanf(line, "%lx-%lx %4s", &range.start, &range.end, rights) == 3 &&
            rights[2] == 'x' && strchr(line, '/') != NULL && bench->range_cnt < MAX_RANGES) {
            bench->ranges[bench->range_cnt++] = range;
        }
    }
    if (maps != NULL) {
        (void)fclose(maps);
    }
}

// A call tree: the further from the root, the more places a stack can be at,
// doubling every second frame.
static uint64_t place_at(const struct bench *bench, uint32_t from_root)
{
    uint64_t choices = 2ULL << (from_root / 2 < 11 ? from_root / 2 : 11);
    return bench->places[(from_root * 97 + random_number() % choices) % PLACES];
}

static void make_stacks(struct bench *bench)
{
    for (uint32_t i = 0; i < PLACES; i++) {
        const struct range *range = &bench->ranges[random_number() % bench->range_cnt];
        bench->places[i] = range->start + random_number() % (range->end - range->start);
    }
    for (uint32_t i = 0; i < bench->stack_cnt; i++) {
        for (uint32_t j = 0; j < bench->depth; j++) {
            bench->stacks[i * bench->depth + j] = place_at(bench, bench->depth - 1 - j);
        }
    }
}

static void push_batch(struct bench *bench, uint64_t begin_ns, uint64_t *at)
{
    for (uint32_t i = 0; i < BATCH; i++, (*at)++) {
        uint32_t tid = (uint32_t)(*at % THREADS) + 1;
        struct system_sample sample = {
            .time_ns = begin_ns + *at * 1000,
            .pid = bench->pid,
            .tid = tid,
            .cpu = tid & 1,
            .address_space = 1,
            .thread_start_ns = tid,
            .weight = PERIOD_NS,
            .cpu_ns = *at * PERIOD_NS,
            .voluntary_switches = *at / 3,
            .involuntary_switches = *at / 7,
            .minor_faults = *at / 2,
            .comm = "bench",
            .user_cnt = bench->depth,
            .frames = &bench->stacks[*at % bench->stack_cnt * bench->depth],
        };
        (void)process_history_note(bench->history, sample.pid, sample.address_space, sample.time_ns,
                                   sample.time_ns);
        frame_names_note(bench->names, &sample, sample.time_ns, false);
        (void)sample_queue_push(&bench->queue, &sample, NULL);
    }
}

// As record/system does it.
static void write_sample(struct bench *bench, const struct system_sample *sample, uint64_t now_ns)
{
    struct metric_value metrics[THREAD_METRIC_CNT];
    thread_counters_take(bench->threads, sample, metrics);
    frame_names_name(bench->names, sample, now_ns, &bench->stack);
    bench->frame_cnt += bench->stack.frame_cnt;
    bench->unnamed_cnt += bench->stack.unnamed_cnt;
    struct sample named = {
        .time_ns = sample->time_ns,
        .period_ns = sample->weight,
        .cpu = sample->cpu,
        .pid = sample->pid,
        .tid = sample->tid,
        .category = text_of(sample->comm),
        .frames = bench->stack.frames,
        .frame_cnt = bench->stack.frame_cnt,
        .metrics = metrics,
    };
    recording_write(&bench->output, &named);
}

static bool open_parts(struct bench *bench, const char *directory)
{
    struct error err = {0};
    struct recording_options options = {
        .files = {.directory = directory, .stem = "text_speed", .suffix = ".perf", .max_files = 1},
        .max_file_bytes = 256 << 20,
    };
    struct file_names_options names = {.max_symbol_bytes = FILE_NAMES_DEFAULT_SYMBOL_BYTES};
    sample_queue_init(&bench->queue, 16 << 20);
    bench->threads = thread_counters_create(1024);
    bench->history = process_history_create(1 << 20, 4096);
    bench->names = frame_names_create(&names, bench->history, NULL, &PERF_SCRIPT_SINK);
    bench->stacks = calloc((size_t)bench->stack_cnt * bench->depth, sizeof *bench->stacks);
    session_init_system(&bench->session);
    if (bench->threads == NULL || bench->names == NULL || bench->stacks == NULL) {
        return false;
    }
    bool ok = recording_open(&bench->output, &bench->session, &bench->losses, &options, &err);
    if (!ok) {
        (void)fprintf(stderr, "text_speed: %s\n", err.detail);
    }
    return ok;
}

static double cpu_s(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void run(struct bench *bench, uint64_t duration_ns)
{
    uint64_t begin_ns = clock_monotonic_ns();
    uint64_t now_ns = begin_ns;
    uint64_t at = 0;
    double begin_cpu_s = cpu_s();
    while (now_ns - begin_ns < duration_ns) {
        const struct queued_sample *queued = NULL;
        push_batch(bench, begin_ns, &at);
        while ((queued = sample_queue_pop(&bench->queue, UINT64_MAX)) != NULL) {
            write_sample(bench, &queued->sample, now_ns);
        }
        recording_tick(&bench->output);
        now_ns = clock_monotonic_ns();
    }
    double wall_s = (double)(now_ns - begin_ns) / 1e9;
    double used_s = cpu_s() - begin_cpu_s;
    uint64_t bytes = bench->output.files.total_bytes + bench->output.files.file_bytes;
    (void)printf("depth=%u distinct_stacks=%u samples=%llu cpu_s=%.2f wall_s=%.2f "
                 "samples_per_cpu_s=%.0f bytes_per_sample=%.0f mb_per_cpu_s=%.0f named=%.1f%%\n",
                 bench->depth, bench->stack_cnt, (unsigned long long)at, used_s, wall_s,
                 (double)at / used_s, (double)bytes / (double)at, (double)bytes / used_s / 1e6,
                 100.0 - 100.0 * (double)bench->unnamed_cnt / (double)bench->frame_cnt);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    static const char *const LIBRARIES[] = {"libstdc++.so.6", "libcrypto.so.3", "libm.so.6"};
    if (argc != 5) {
        (void)fprintf(stderr, "usage: text_speed DIRECTORY SECONDS DEPTH DISTINCT_STACKS\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof LIBRARIES / sizeof LIBRARIES[0]; i++) {
        (void)dlopen(LIBRARIES[i], RTLD_LAZY);
    }
    bench.pid = (uint32_t)getpid();
    bench.depth = (uint32_t)strtoul(argv[3], NULL, 10) % MAX_DEPTH;
    bench.stack_cnt = (uint32_t)strtoul(argv[4], NULL, 10);
    if (bench.stack_cnt == 0 || !open_parts(&bench, argv[1])) {
        return 1;
    }
    find_code(&bench);
    make_stacks(&bench);
    run(&bench, strtoull(argv[2], NULL, 10) * CLOCK_NS_PER_S);
    (void)recording_close(&bench.output, "complete", NULL);
    return 0;
}
