// SPDX-License-Identifier: Apache-2.0
// perf-script text as a busy Erlang node gives it, of any size, always the same:
//
//     make_script PROCESSES RATE_HZ SECONDS METRICS >FILE
//
// Every process is seen at each tick; half of them wait and do not change, as real
// ones do. Stacks are 6 to 22 frames deep, of 4,000 functions.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { FUNCTIONS = 4000, STACKS_PER_PROCESS = 12, MAX_METRICS = 16, MAX_PROCESSES = 100000 };

static uint64_t state = 88172645463325252ULL;

static uint32_t below(uint32_t limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 32) * limit >> 32);
}

static const char *const METRICS[MAX_METRICS] = {"reductions",
                                                 "message_queue_len",
                                                 "memory",
                                                 "total_heap_size",
                                                 "old_heap_block_size",
                                                 "heap_block_size",
                                                 "mbuf_size",
                                                 "recent_size",
                                                 "stack_size",
                                                 "old_heap_size",
                                                 "heap_size",
                                                 "bin_vheap_size",
                                                 "bin_vheap_block_size",
                                                 "bin_old_vheap_size",
                                                 "bin_old_vheap_block_size",
                                                 "minor_gcs"};

struct process {
    int64_t values[MAX_METRICS];
    uint32_t stack;
    int waits;
};

static void print_stack(uint32_t process, uint32_t stack)
{
    uint64_t kept = state;
    state = ((uint64_t)process % 300 * STACKS_PER_PROCESS + stack + 1) * 0x9E3779B97F4A7C15ULL;
    for (uint32_t depth = 6 + below(17); depth > 0; depth--) {
        uint32_t function = below(FUNCTIONS);
        printf("\t7f%06x module_%u:function_%u/%u;%u (module_%u.erl)\n", function * 16,
               function % 97, function, function % 5, function % 1500 + 10, function % 97);
    }
    printf("\t0 {registered server_%u} (process)\n\t0 {module_%u:init/1} (module_%u.erl)\n\n",
           process, process % 97, process % 97);
    state = kept;
}

static void step(struct process *process, uint32_t metric_cnt, int64_t *deltas)
{
    process->waits = below(10) < 2 ? !process->waits : process->waits;
    if (!process->waits) {
        process->stack = below(STACKS_PER_PROCESS);
    }
    for (uint32_t i = 0; i < metric_cnt; i++) {
        int changes = !process->waits && (i == 0 || below(4) == 0);
        deltas[i] = !changes ? 0 : i == 0 ? below(4000) : (int64_t)below(2000) - 1000;
        deltas[i] = process->values[i] + deltas[i] < 0 ? 0 : deltas[i];
        process->values[i] += deltas[i];
    }
}

int main(int argc, char **argv)
{
    static struct process processes[MAX_PROCESSES];
    static char buffer[1 << 20];
    if (argc != 5) {
        fprintf(stderr, "usage: make_script PROCESSES RATE_HZ SECONDS METRICS >FILE\n");
        return 2;
    }
    uint32_t process_cnt = (uint32_t)strtoul(argv[1], NULL, 10) % (MAX_PROCESSES + 1);
    uint32_t rate_hz = (uint32_t)strtoul(argv[2], NULL, 10);
    uint64_t tick_cnt = strtoul(argv[3], NULL, 10) * rate_hz;
    uint32_t metric_cnt = (uint32_t)strtoul(argv[4], NULL, 10) % (MAX_METRICS + 1);
    if (rate_hz == 0) {
        return 2;
    }
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    for (uint64_t tick = 0; tick < tick_cnt; tick++) {
        uint64_t us = 1000000000 + tick * 1000000 / rate_hz;
        for (uint32_t i = 0; i < process_cnt; i++) {
            int64_t deltas[MAX_METRICS];
            step(&processes[i], metric_cnt, deltas);
            us += below(3);
            printf("%s 4242/%u [000] %" PRIu64 ".%06" PRIu64 ": ",
                   processes[i].waits ? "waiting" : "running", 100 + i, us / 1000000,
                   us % 1000000 == 0 ? 1 : us % 1000000);
            for (uint32_t k = 0; k < metric_cnt; k++) {
                printf("metric_erlang_%s: %" PRId64 ", %" PRId64 "\t", METRICS[k],
                       processes[i].values[k], deltas[k]);
            }
            printf("period: %u beam-wall:\n", 1000000000 / rate_hz);
            print_stack(i, processes[i].stack);
        }
    }
    return 0;
}
