// SPDX-License-Identifier: Apache-2.0
#include "store/perf_script_reader.h"

#include "test.h"

// What the handler saw of the last event, and how many there were.
static struct {
    uint32_t cnt;
    struct perf_script_event event;
    char category[64];
    char process[64];
    char name[64];
    struct perf_script_metric metrics[PERF_SCRIPT_MAX_METRICS];
    char metric[64];
    char frame_names[8][256];
    char frame_files[8][256];
    uint32_t frame_lines[8];
    uint64_t frame_addresses[8];
    char fields[256];
} seen;

static void copy(char *to, size_t to_bytes, struct text text)
{
    (void)snprintf(to, to_bytes, "%.*s", (int)text.len, text.bytes);
}

static void on_event(void *context, const struct perf_script_event *event)
{
    (void)context;
    seen.cnt++;
    seen.event = *event;
    copy(seen.category, sizeof seen.category, event->category);
    copy(seen.process, sizeof seen.process, event->process);
    copy(seen.name, sizeof seen.name, event->event_name);
    memcpy(seen.metrics, event->metrics, event->metric_cnt * sizeof seen.metrics[0]);
    if (event->metric_cnt > 0) {
        copy(seen.metric, sizeof seen.metric, event->metrics[0].name);
    }
    for (uint32_t i = 0; i < event->frame_cnt && i < 8; i++) {
        copy(seen.frame_names[i], sizeof seen.frame_names[i], event->frames[i].name);
        copy(seen.frame_files[i], sizeof seen.frame_files[i], event->frames[i].file);
        seen.frame_lines[i] = event->frames[i].line;
        seen.frame_addresses[i] = event->frames[i].address;
    }
}

static void on_field(void *context, struct text key, struct text value)
{
    (void)context;
    size_t len = strlen(seen.fields);
    (void)snprintf(seen.fields + len, sizeof seen.fields - len, "%.*s=%.*s;", (int)key.len,
                   key.bytes, (int)value.len, value.bytes);
}

static struct perf_script_stats read_text(const char *text)
{
    struct perf_script_handler handler = {on_event, on_field, NULL};
    memset(&seen, 0, sizeof seen);
    struct perf_script_reader *reader = perf_script_reader_create(&handler);
    while (*text != '\0') {
        uint32_t len = (uint32_t)strcspn(text, "\n");
        perf_script_reader_line(reader, (struct text){text, len});
        text += len + (text[len] == '\n' ? 1 : 0);
    }
    perf_script_reader_finish(reader);
    struct perf_script_stats stats = perf_script_reader_stats(reader);
    perf_script_reader_destroy(reader);
    return stats;
}

TEST(our_own_text)
{
    struct perf_script_stats stats =
        read_text("# flame_prof: 0.1.0\n"
                  "# loss ring_full: 3\n"
                  "waiting 4242/151 [001] 1334.519344: metric_erlang_reductions: 981150, -4120\t"
                  "metric_erlang_memory: 2, 0\tperiod: 99000000 beam-wall:\n"
                  "\t7f1c22ad lists:map/2;1559 (lists.erl)\n"
                  "\t0 {registered my_server} (process)\n"
                  "\n"
                  "# end: complete\n");
    CHECK_UINT(seen.cnt, 1);
    CHECK_UINT(stats.malformed_line_cnt, 0);
    CHECK_STR(seen.category, "waiting");
    CHECK_STR(seen.process, "4242/151");
    CHECK_UINT(seen.event.pid, 4242);
    CHECK_UINT(seen.event.tid, 151);
    CHECK_UINT(seen.event.cpu, 1);
    CHECK_UINT(seen.event.time_ns, 1334519344000);
    CHECK_INT(seen.event.has_period, PERF_SCRIPT_HAS_PERIOD);
    CHECK_UINT(seen.event.period, 99000000);
    CHECK_STR(seen.name, "beam-wall");
    CHECK_UINT(seen.event.metric_cnt, 2);
    CHECK_STR(seen.metric, "erlang_reductions");
    CHECK_INT(seen.metrics[0].value, 981150);
    CHECK_INT(seen.metrics[0].delta, -4120);
    CHECK_UINT(seen.event.frame_cnt, 2);
    CHECK_STR(seen.frame_names[0], "lists:map/2");
    CHECK_UINT(seen.frame_lines[0], 1559);
    CHECK_STR(seen.frame_files[0], "lists.erl");
    CHECK_STR(seen.frame_names[1], "{registered my_server}");
    CHECK_STR(seen.fields, "flame_prof=0.1.0;loss ring_full=3;end=complete;");
}

TEST(our_text_without_metrics)
{
    (void)read_text("burn 5/6 [000] 1.000001: 10101010 cpu-clock:\n\n");
    CHECK_UINT(seen.cnt, 1);
    CHECK_UINT(seen.event.period, 10101010);
    CHECK_STR(seen.name, "cpu-clock");
}

TEST(the_text_of_2021)
{
    struct perf_script_stats stats =
        read_text("running\t0.151.0 [000] 1334.519344: cpu-clock:\t"
                  "metric_erlang_reductions: 981150, 1\tmetric_erlang_mbuf_size: 0, -7\t\n"
                  "\tffffffff gen_server:loop/7;871 (gen_server.erl)\n"
                  "\tffffffff (wl:init/1) (wl.erl)\n\n");
    CHECK_UINT(seen.cnt, 1);
    CHECK_UINT(stats.malformed_line_cnt, 0);
    CHECK_STR(seen.category, "running");
    CHECK_STR(seen.process, "0.151.0");
    CHECK_UINT(seen.event.tid, 151);
    CHECK_INT(seen.event.has_period, PERF_SCRIPT_NO_PERIOD);
    CHECK_UINT(seen.event.metric_cnt, 2);
    CHECK_INT(seen.metrics[1].delta, -7);
    CHECK_STR(seen.frame_names[1], "(wl:init/1)");
}

TEST(perf_script_with_call_chains)
{
    struct perf_script_stats stats = read_text(
        "# ========\n# hostname : vm\n#\n"
        "2_scheduler 14194/14202 [000]  1897.679334:    5025125 cpu-clock:pppH: \n"
        "\t           8dca4 __GI___pthread_mutex_unlock_usercnt+0x54 (/usr/lib/libc.so.6)\n"
        "\t               0 [unknown] ([unknown])\n"
        "\n"
        "npm i @grafana/ 25489/25496 [000]  1897.699413:    5025125 cpu-clock:pppH: \n"
        "\t          39d41b [unknown] (/memfd:vmem (deleted))\n"
        "\t           3f9a3 wi::mask(int, char)+0x86 (/x y)\n"
        "\n");
    CHECK_UINT(seen.cnt, 2);
    CHECK_UINT(stats.malformed_line_cnt, 0);
    CHECK_STR(seen.category, "npm i @grafana/");
    CHECK_UINT(seen.event.tid, 25496);
    CHECK_STR(seen.name, "cpu-clock:pppH");
    CHECK_STR(seen.frame_files[0], "/memfd:vmem (deleted)");
    CHECK_STR(seen.frame_names[1], "wi::mask(int, char)");
    CHECK_STR(seen.frame_files[1], "/x y");
    CHECK_UINT(seen.frame_addresses[1], 0x3f9a3);
}

TEST(perf_script_without_call_chains)
{
    (void)read_text("         swapper     0 [000]  4702.124536:   10101010 cpu-clock:pppH:  "
                    "ffffffff821f4dab pv_native_safe_halt+0xb ([kernel.kallsyms])\n"
                    "            bash 25370  6036.991603: cpu-clock:            4b931e [unknown] "
                    "(/bin/bash)\n");
    CHECK_UINT(seen.cnt, 2);
    CHECK_STR(seen.category, "bash");
    CHECK_UINT(seen.event.tid, 25370);
    CHECK_UINT(seen.event.frame_cnt, 1);
    CHECK_STR(seen.frame_files[0], "/bin/bash");
}

TEST(a_tracepoint_with_its_payload)
{
    (void)read_text("java 52025/52026 [026] 99161.926202: sched:sched_switch: prev_comm=java "
                    "prev_pid=1 ==> next_comm=x\n\tffffffff81 __schedule ([kernel.kallsyms])\n\n");
    CHECK_UINT(seen.cnt, 1);
    CHECK_STR(seen.name, "sched:sched_switch");
    CHECK_UINT(seen.event.frame_cnt, 1);
}

TEST(a_name_that_looks_like_a_time)
{
    (void)read_text("evil 12.5: x 7/8 [003] 100.250000: 5 cpu-clock:\n\n");
    CHECK_UINT(seen.cnt, 1);
    CHECK_STR(seen.category, "evil 12.5: x");
    CHECK_UINT(seen.event.time_ns, 100250000000);
}

TEST(what_cannot_be_read_is_counted)
{
    struct perf_script_stats stats = read_text("nonsense\n"
                                               "\t1234 frame_without_event (x)\n"
                                               "a 1/1 [000] 1.5: 1 e:\n"
                                               "\tnot a frame\n"
                                               "\tffff no_file\n"
                                               "\tffff ok (f)\n"
                                               "  x.c:12\n"
                                               "\n");
    CHECK_UINT(stats.malformed_line_cnt, 5);
    CHECK_UINT(stats.event_cnt, 1);
    CHECK_UINT(stats.frame_cnt, 1);
    CHECK_STR(seen.frame_names[0], "ok");
}

TEST(numbers_out_of_range_are_no_metrics)
{
    (void)read_text("a 1/1 [000] 1.5: metric_x: 99999999999999999999, 1\tperiod: 1 e:\n\n");
    CHECK_UINT(seen.cnt, 0);
    (void)read_text("a 1/1 [000] 1.5: e:\tmetric_x: 9223372036854775807, -9223372036854775807\n\n");
    CHECK_UINT(seen.cnt, 1);
    CHECK_INT(seen.metrics[0].value, INT64_MAX);
    CHECK_INT(seen.metrics[0].delta, -INT64_MAX);
}

TEST(an_event_that_is_cut_off_counts)
{
    struct perf_script_stats stats = read_text("a 1/1 [000] 1.5: 1 e:\n\t1 f (g)");
    CHECK_UINT(stats.event_cnt, 1);
    CHECK_UINT(stats.frame_cnt, 1);
}

TEST(carriage_returns_are_taken_off)
{
    struct perf_script_stats stats = read_text("a 1/1 [000] 1.5: 1 e:\r\n\t1 f (g)\r\n\r\n");
    CHECK_UINT(stats.malformed_line_cnt, 0);
    CHECK_STR(seen.frame_files[0], "g");
}

TEST(frames_beyond_the_limit_are_counted)
{
    static char text[64 + 16 * (PERF_SCRIPT_MAX_FRAMES + 10)];
    size_t len = (size_t)snprintf(text, sizeof text, "a 1/1 [000] 1.5: 1 e:\n");
    for (int i = 0; i < PERF_SCRIPT_MAX_FRAMES + 5; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "\t1 f (g)\n");
    }
    struct perf_script_stats stats = read_text(text);
    CHECK_UINT(stats.frame_cnt, PERF_SCRIPT_MAX_FRAMES);
    CHECK_UINT(stats.dropped_cnt, 5);
}
