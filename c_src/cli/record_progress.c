// SPDX-License-Identifier: Apache-2.0
#include "cli/record_progress.h"

#include "base/clock.h"
#include "cli/number_text.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define FIRST_SHOWN_NS (2ULL * CLOCK_NS_PER_S)
#define SHOW_EVERY_NS (1ULL * CLOCK_NS_PER_S)

static double seconds(uint64_t ns)
{
    return (double)ns / CLOCK_NS_PER_S;
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
}

static uint64_t lost(const struct loss_snapshot *losses)
{
    uint64_t sum = 0;
    for (int i = 0; i < LOSS_REASON_CNT; i++) {
        sum += losses->lost[i];
    }
    return sum;
}

// --- while it records ---------------------------------------------------------

void record_progress_show(struct record_progress *progress,
                          const struct system_recording_stats *stats)
{
    if (stats->elapsed_ns < FIRST_SHOWN_NS ||
        stats->elapsed_ns - progress->shown_ns < SHOW_EVERY_NS || isatty(STDERR_FILENO) == 0) {
        return;
    }
    char cnt[NUMBER_TEXT_BYTES];
    char bytes[NUMBER_TEXT_BYTES];
    char gone[NUMBER_TEXT_BYTES];
    double per_s = (double)(stats->sample_cnt - progress->shown_samples) /
                   seconds(stats->elapsed_ns - progress->shown_ns);
    (void)fprintf(stderr, "\r\033[K%.0f s  %s samples  %.0f/s  %s lost  %s written",
                  seconds(stats->elapsed_ns), number_text_grouped((int64_t)stats->sample_cnt, cnt),
                  per_s, number_text_grouped((int64_t)lost(&stats->losses), gone),
                  number_text_bytes(stats->written_bytes, bytes));
    (void)fflush(stderr);
    progress->shown_ns = stats->elapsed_ns;
    progress->shown_samples = stats->sample_cnt;
    progress->is_visible = true;
}

void record_progress_clear(struct record_progress *progress)
{
    if (progress->is_visible) {
        (void)fputs("\r\033[K", stderr);
        (void)fflush(stderr);
        progress->is_visible = false;
    }
}

void record_progress_dump(const struct flight_stats *flight)
{
    char bytes[NUMBER_TEXT_BYTES];
    const char *path = flight->last_path;
    if (flight->result == DUMP_WRITTEN) {
        (void)fprintf(stderr, "flameprof: %s -> %s (%s)\n", flight->last_cause,
                      strncmp(path, "./", 2) == 0 ? path + 2 : path,
                      number_text_bytes(flight->last_bytes, bytes));
    } else if (flight->result == DUMP_EMPTY) {
        (void)fprintf(stderr, "flameprof: %s: nothing was sampled in that time, no file\n",
                      flight->last_cause);
    }
}

// --- afterwards ---------------------------------------------------------------

static void print_result(const struct record_summary *summary,
                         const struct system_recording_stats *stats)
{
    char cnt[NUMBER_TEXT_BYTES];
    char bytes[NUMBER_TEXT_BYTES];
    (void)fprintf(stderr, "%s samples in %.1f s",
                  number_text_grouped((int64_t)stats->sample_cnt, cnt), seconds(stats->elapsed_ns));
    if (summary->rate_hz != 0) {
        (void)fprintf(stderr, " at %u Hz on %u CPUs", summary->rate_hz, stats->ticks.cpu_cnt);
    }
    (void)fputs(" -> ", stderr);
    if (stats->file_cnt == 0) {
        (void)fputs("no file\n", stderr);
    } else if (stats->file_cnt == 1) {
        (void)fprintf(stderr, "%s (%s)\n", summary->path,
                      number_text_bytes(stats->written_bytes, bytes));
    } else {
        (void)fprintf(stderr, "%u files, the last %s (%s together)\n", stats->file_cnt,
                      summary->path, number_text_bytes(stats->written_bytes, bytes));
    }
}

static void print_events(const struct system_recording_stats *stats)
{
    for (int i = 0; i < SYSTEM_EVENT_CNT; i++) {
        if (i != SYSTEM_EVENT_CPU_CLOCK && stats->events[i].is_open) {
            (void)fprintf(stderr, "  %-8s %llu samples, %llu lost\n", system_event_name(i),
                          (unsigned long long)stats->events[i].sample_cnt,
                          (unsigned long long)stats->events[i].lost);
        }
    }
}

static void print_ticks(const struct system_recording_stats *stats)
{
    const struct system_ticks *ticks = &stats->ticks;
    if (!stats->events[SYSTEM_EVENT_CPU_CLOCK].is_open || stats->is_flight) {
        return; // most samples of a flight recorder are in no file
    }
    uint64_t all = ticks->ticks + ticks->missed;
    (void)fprintf(stderr,
                  "  ticks    %llu = %llu samples + %llu idle + %llu excluded + %llu lost\n",
                  (unsigned long long)all,
                  (unsigned long long)stats->events[SYSTEM_EVENT_CPU_CLOCK].sample_cnt,
                  (unsigned long long)ticks->idle, (unsigned long long)ticks->excluded,
                  (unsigned long long)stats->events[SYSTEM_EVENT_CPU_CLOCK].lost);
}

static void print_losses(const struct loss_snapshot *losses)
{
    if (lost(losses) == 0) {
        return;
    }
    (void)fputs("  lost    ", stderr);
    for (int i = 0; i < LOSS_REASON_CNT; i++) {
        if (losses->lost[i] > 0) {
            (void)fprintf(stderr, " %s %llu", loss_reason_name((enum loss_reason)i),
                          (unsigned long long)losses->lost[i]);
        }
    }
    (void)fputc('\n', stderr);
}

static void print_stacks(const struct system_recording_stats *stats)
{
    uint64_t user = 0;
    uint64_t complete = 0;
    for (int i = 0; i < SYSTEM_STACK_END_CNT; i++) {
        bool counts = i != SYSTEM_STACK_NO_USER;
        user += counts ? stats->stack_ends[i] : 0;
        complete +=
            counts && system_stack_is_complete((enum system_stack_end)i) ? stats->stack_ends[i] : 0;
    }
    (void)fprintf(
        stderr,
        "  stacks   %.1f %% of the user stacks are complete; %.1f %% of all frames have a "
        "name\n",
        percent(complete, user),
        percent(stats->frame_cnt - stats->unnamed_frame_cnt, stats->frame_cnt));
    if (stats->unread_processes > 0) {
        (void)fprintf(stderr,
                      "           %llu processes were gone, or not ours to see, before their "
                      "mappings were read\n",
                      (unsigned long long)stats->unread_processes);
    }
}

static void print_flight(const struct system_recording_stats *stats)
{
    const struct flight_stats *flight = &stats->flight;
    uint64_t suppressed = 0;
    if (!stats->is_flight) {
        return;
    }
    for (int i = 0; i < DUMP_REFUSAL_CNT; i++) {
        suppressed += flight->suppressed[i];
    }
    (void)fprintf(stderr,
                  "  dumps    %u by triggers, %u on call; %llu more not written (%llu busy, %llu "
                  "too soon, %llu enough)\n",
                  flight->by_trigger, flight->on_call, (unsigned long long)suppressed,
                  (unsigned long long)flight->suppressed[DUMP_BUSY],
                  (unsigned long long)flight->suppressed[DUMP_TOO_SOON],
                  (unsigned long long)flight->suppressed[DUMP_ENOUGH]);
    if (flight->dropped_early > 0) {
        (void)fprintf(stderr,
                      "           %llu samples went before their time: --flight-bytes holds less "
                      "than --flight asks for\n",
                      (unsigned long long)flight->dropped_early);
    }
}

static void print_own_cost(const struct system_recording_stats *stats)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) {
        return;
    }
    double cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                   (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    (void)fprintf(stderr, "  own cost %.2f s of CPU, start included (%.2f %% of one), %.1f MB\n",
                  cpu_s, 100 * cpu_s / seconds(stats->elapsed_ns),
                  (double)usage.ru_maxrss * 1024 / 1e6);
    if (stats->backoffs > 0) {
        (void)fprintf(stderr,
                      "           --max-cpu made it slower %u times; at the end intervals were "
                      "%u %% of what was asked for\n",
                      stats->backoffs, stats->stretch);
    }
}

void record_progress_summary(const struct record_summary *summary,
                             const struct system_recording_stats *stats)
{
    print_result(summary, stats);
    print_ticks(stats);
    print_events(stats);
    print_losses(&stats->losses);
    print_stacks(stats);
    print_flight(stats);
    print_own_cost(stats);
    if (stats->file_cnt == 0 && stats->losses.lost[LOSS_WRITE_FAILED] > 0) {
        return; // an error says why
    }
    if (stats->file_cnt == 0 && !stats->is_flight) {
        (void)fprintf(stderr, "  %s\n",
                      summary->names_a_process
                          ? "nothing to see: the chosen processes used no CPU meanwhile"
                          : "nothing to see: no process used any CPU meanwhile");
        return;
    }
    if (stats->file_cnt == 0) {
        return;
    }
    (void)fprintf(stderr, "  next     flameprof top %s\n", summary->path);
}
