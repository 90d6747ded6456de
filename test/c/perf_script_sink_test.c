// SPDX-License-Identifier: Apache-2.0
// The text of docs/perf-script-format.md, byte for byte; where test/golden has
// it, the Erlang writer is held to the same.
#include "sinks/perf_script_sink.h"

#include "base/version.h"
#include "store/perf_script_text.h"
#include "test.h"

static struct byte_buffer out;

static const char *text_written(void)
{
    if (!byte_buffer_append_char(&out, '\0')) {
        TEST_FAIL("the buffer is full");
    }
    return out.bytes;
}

static void begin_text(void)
{
    byte_buffer_deinit(&out);
    byte_buffer_init(&out, 1 << 20);
}

static const char *name_written(struct text name)
{
    begin_text();
    CHECK(perf_script_text_name(&out, name));
    return text_written();
}

static struct session session_with(const char *const *metric_names, uint32_t metric_cnt)
{
    return (struct session){
        .event_name = "beam-wall",
        .metric_names = metric_names,
        .metric_cnt = metric_cnt,
        .anchor = {.monotonic_ns = 1, .unix_ns = 2},
    };
}

static void append_sample(const struct session *session, const struct sample *sample)
{
    CHECK(PERF_SCRIPT_SINK.sample(NULL, &out, session, sample));
}

// One sample's text with no metrics and no frames.
static const char *line_written(struct sample sample)
{
    struct session session = session_with(NULL, 0);
    begin_text();
    append_sample(&session, &sample);
    return text_written();
}

// ---- golden -----------------------------------------------------------------------

// What is in the file from its first event line on. Tests run in the project's
// root.
static const char *golden(const char *name, char *bytes, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "test/golden/perf_script/%s.perf", name);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        TEST_FAIL("%s: run the tests in the project's root", path);
    }
    size_t len = fread(bytes, 1, size - 1, file);
    fclose(file);
    bytes[len] = '\0';
    char *at = bytes;
    while (*at == '#') {
        at = strchr(at, '\n') + 1;
    }
    return at;
}

static void skip_sample(const char **text)
{
    *text = strstr(*text, "\n\n") + 2;
}

// `text` begins with what was written; goes on behind it.
static void check_and_skip(const char **text)
{
    const char *written = text_written();
    size_t len = strlen(written);
    if (strncmp(*text, written, len) != 0) {
        TEST_FAIL("wrote\n%sinstead of\n%.*s", written, (int)len, *text);
    }
    *text += len;
    begin_text();
}

#define FRAME(at, what, number, where)                                                             \
    {                                                                                              \
        .address = (at), .name = TEXT(what), .line = (number), .file = TEXT(where)                 \
    }

TEST(golden_plain_samples)
{
    static const char *const METRICS[] = {"erlang_reductions", "erlang_message_queue_len"};
    struct session session = session_with(METRICS, 2);
    const struct frame frames[] = {
        FRAME(0x7F1C22AD, "lists:map/2", 1559, "lists.erl"),
        FRAME(0x7F1C0310, "gen_server:loop/7", 871, "gen_server.erl"),
        FRAME(0, "{registered my_server}", 0, "process"),
        FRAME(0, "{my_server:init/1}", 0, "my_server.erl"),
    };
    const struct frame called = FRAME(0, "{erlang:apply/2}", 0, "erlang.erl");
    const struct metric_value first[] = {{981150, 0}, {2, 0}};
    const struct metric_value second[] = {{985270, 4120}, {0, -2}};
    char bytes[4096];
    const char *wanted = golden("one_waiting", bytes, sizeof bytes);
    begin_text();
    append_sample(&session, &(struct sample){.time_ns = 1334519344999,
                                             .period_ns = 99000000,
                                             .pid = 4242,
                                             .tid = 151,
                                             .category = TEXT("waiting"),
                                             .frames = frames,
                                             .frame_cnt = 4,
                                             .metrics = first});
    check_and_skip(&wanted);
    append_sample(&session, &(struct sample){.time_ns = 1334618344000,
                                             .period_ns = 99000123,
                                             .cpu = 12,
                                             .pid = 4242,
                                             .tid = 151,
                                             .category = TEXT("garbage_collecting"),
                                             .frames = &called,
                                             .frame_cnt = 1,
                                             .metrics = second});
    check_and_skip(&wanted);
    CHECK_INT(*wanted, '#'); // the footer: nothing is missing between
}

TEST(golden_footer)
{
    static const char *const METRICS[] = {"erlang_reductions", "erlang_message_queue_len"};
    struct session session = session_with(METRICS, 2);
    struct file_summary summary = {
        .end_reason = "complete",
        .sample_cnt = 2,
        .period_total_ns = 198000123,
        .metric_totals = {{1966420, 4120}, {2, -2}},
        .losses = {.ticks_expected = 12, .ticks_taken = 11, .lost[LOSS_MISSED_TICK] = 1},
    };
    char bytes[4096];
    const char *wanted = strstr(golden("one_waiting", bytes, sizeof bytes), "# end:");
    begin_text();
    CHECK(PERF_SCRIPT_SINK.end(NULL, &out, &session, &summary));
    const char *written = text_written();
    // The portable writer knows fewer reasons: each of its lines must be there.
    char *rest = NULL;
    for (char *line = strtok_r((char *)(uintptr_t)wanted, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        char whole[256];
        snprintf(whole, sizeof whole, "%s\n", line);
        CHECK_HAS(written, whole);
    }
    for (int i = 0; i < LOSS_REASON_CNT; i++) {
        char key[64];
        snprintf(key, sizeof key, "\n# loss %s: ", loss_reason_name((enum loss_reason)i));
        CHECK_HAS(written, key);
    }
    for (int i = 0; i < DEGRADED_REASON_CNT; i++) {
        char key[64];
        snprintf(key, sizeof key,
                 "\n# degraded %s: ", degraded_reason_name((enum degraded_reason)i));
        CHECK_HAS(written, key);
    }
}

TEST(golden_names_that_importers_would_cut)
{
    struct session session = session_with(NULL, 0);
    const struct frame frames[] = {
        FRAME(1, "lists:++/2", 1, "lists.erl"),
        FRAME(2, "erlang:+/2", 0, "erlang.erl"),
        FRAME(3, "m:-go/1-fun-0->x/1", 0, "a b.erl"),
        FRAME(4, "My.Mod.run!/0", 30, "my_mod.ex"),
        FRAME(UINT64_MAX, "at 12.5: x:f/0", 0, "at 12.5: x.erl"),
        FRAME(6, "größe:мера/1", 2, "größe.erl"),
        FRAME(7,
              "tab:a\tb\x7F"
              "c/1",
              0, "tab.erl"),
        FRAME(8, "12: 13: m:f/1", 0, "12: 13: m.erl"),
        FRAME(9, "v1.2:x:1: f/1", 0, "v1.2:x.erl"),
        FRAME(10, "My.Mod.run!/0-fn-0/1", 0, "My.Mod.ex"),
        FRAME(11, "&My.Mod.run!/0", 0, "My.Mod.ex"),
        FRAME(12, "Kernel.+/2", 0, "Kernel.ex"),
        FRAME(0, "{registered a b->c}", 0, "process"),
        FRAME(0, "{My.Mod.init/1}", 0, "My.Mod.ex"),
    };
    char bytes[4096];
    const char *wanted = golden("names", bytes, sizeof bytes);
    begin_text();
    append_sample(&session, &(struct sample){.time_ns = 5000000999,
                                             .period_ns = 7,
                                             .cpu = 3,
                                             .pid = 1,
                                             .tid = 2,
                                             .category = TEXT("running"),
                                             .frames = frames,
                                             .frame_cnt = sizeof frames / sizeof frames[0]});
    check_and_skip(&wanted);
    append_sample(
        &session,
        &(struct sample){
            .time_ns = 6000000000, .cpu = 1024, .pid = 1, .tid = 2, .category = TEXT("suspended")});
    check_and_skip(&wanted);
    CHECK_INT(*wanted, '#');
}

TEST(golden_header_values)
{
    struct session session = session_with(NULL, 0);
    char bytes[4096];
    (void)golden("names", bytes, sizeof bytes);
    *strstr(bytes, "running") = '\0';
    begin_text();
    // session_set makes a newline a blank: the field is set past it.
    snprintf(session.fields[0].key, sizeof session.fields[0].key, "options");
    snprintf(session.fields[0].value, sizeof session.fields[0].value, "a 12: b\nc->d+e");
    snprintf(session.fields[1].key, sizeof session.fields[1].key, "hostname");
    snprintf(session.fields[1].value, sizeof session.fields[1].value, "h\xFFst");
    session.field_cnt = 2;
    CHECK(PERF_SCRIPT_SINK.begin(NULL, &out, &session));
    CHECK_HAS(text_written(), bytes);
}

TEST(golden_stacks_cut_before_the_sink)
{
    static const char *const METRICS[] = {"erlang_memory"};
    struct session session = session_with(METRICS, 1);
    const struct frame full[] = {
        FRAME(0, "m:a/0", 0, "m.erl"), FRAME(0, "m:b/0", 0, "m.erl"), FRAME(0, "m:c/0", 0, "m.erl"),
        FRAME(0, "m:d/0", 0, "m.erl"), FRAME(0, "m:e/0", 0, "m.erl"),
    };
    const struct frame cut[] = {FRAME(0, "m:a/0", 0, "m.erl"),
                                FRAME(0, "[frames omitted]", 0, "truncated")};
    const struct metric_value none[] = {{0, 0}};
    struct sample sample = {.time_ns = 1000002000,
                            .period_ns = 1,
                            .pid = 9,
                            .tid = 8,
                            .category = TEXT("runnable"),
                            .frames = full,
                            .frame_cnt = 5,
                            .metrics = none};
    char bytes[4096];
    const char *wanted = golden("deep", bytes, sizeof bytes);
    begin_text();
    skip_sample(&wanted); // its delta has more than 64 bits
    append_sample(&session, &sample);
    check_and_skip(&wanted);
    sample.time_ns = 1000003000;
    sample.frames = cut;
    sample.frame_cnt = 2;
    append_sample(&session, &sample);
    check_and_skip(&wanted);
    CHECK_INT(*wanted, '#');
}

TEST(golden_equal_neighbours)
{
    struct session session = session_with(NULL, 0);
    const struct frame frames[] = {
        FRAME(0xA, "m:f/1", 3, "m.erl"),
        FRAME(0xB, "m:f/1", 3, "m.erl"),
        FRAME(0xC, "m:f/1", 4, "m.erl"),
        FRAME(0, "{m:f/1}", 0, "m.erl"),
    };
    char bytes[4096];
    const char *wanted = golden("nested", bytes, sizeof bytes);
    begin_text();
    append_sample(&session, &(struct sample){.time_ns = 86400123456789,
                                             .period_ns = 9000000,
                                             .cpu = 100,
                                             .pid = 10,
                                             .tid = 11,
                                             .category = TEXT("exiting"),
                                             .frames = frames,
                                             .frame_cnt = 4});
    check_and_skip(&wanted);
    CHECK_INT(*wanted, '#');
}

// ---- names ------------------------------------------------------------------------

TEST(plain_names_stay)
{
    CHECK_STR(name_written(TEXT("lists:map/2")), "lists:map/2");
    CHECK_STR(name_written(TEXT("a b (c) [d] {e};f,g#h%i")), "a b (c) [d] {e};f,g#h%i");
    CHECK_STR(name_written(TEXT("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80")),
              "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80");
    CHECK_STR(name_written(TEXT("")), "[unknown]");
    CHECK_STR(name_written((struct text){NULL, 0}), "[unknown]");
}

TEST(plus_and_arrow_are_written_wide)
{
    CHECK_STR(name_written(TEXT("+")), "＋");
    CHECK_STR(name_written(TEXT("(anonymous namespace)::f(int)")),
              "（anonymous namespace)::f(int)");
    CHECK_STR(name_written(TEXT("a+b++c+")), "a＋b＋＋c＋");
    CHECK_STR(name_written(TEXT("->")), "-＞");
    CHECK_STR(name_written(TEXT("a->b->c")), "a-＞b-＞c");
    CHECK_STR(name_written(TEXT("a>b>>-c")), "a>b>>-c"); // no arrow
    CHECK_STR(name_written(TEXT("-+>-")), "-＋>-");
    CHECK_STR(name_written(TEXT("--> ->>")), "--＞ -＞>");
}

TEST(control_characters_become_question_marks)
{
    for (unsigned c = 0; c < 0x20; c++) {
        const char name[3] = {'a', (char)c, 'b'};
        CHECK_STR(name_written((struct text){name, 3}), "a?b");
    }
    CHECK_STR(name_written(TEXT("\x7F\n\r\t")), "????");
}

TEST(every_byte_of_bad_utf8_becomes_a_question_mark)
{
    static const struct {
        const char *name;
        const char *text;
    } CASES[] = {
        {"\x80", "?"},                                 // alone
        {"a\xC3", "a?"},                               // cut short
        {"\xE2\x82", "??"},                            //
        {"\xF0\x9F\x98", "???"},                       //
        {"\xC3(", "?("},                               // not followed by one
        {"\xE2(\xA1", "?(?"},                          //
        {"\xC0\xAF", "??"},                            // overlong
        {"\xC1\xBF", "??"},                            //
        {"\xE0\x80\x80", "???"},                       //
        {"\xE0\x9F\xBF", "???"},                       //
        {"\xF0\x80\x80\x80", "????"},                  //
        {"\xF0\x8F\xBF\xBF", "????"},                  //
        {"\xED\xA0\x80", "???"},                       // half of a surrogate pair
        {"\xED\xBF\xBF", "???"},                       //
        {"\xF4\x90\x80\x80", "????"},                  // behind the last
        {"\xF5\x80\x80\x80", "????"},                  //
        {"\xFE\xFF", "??"},                            //
        {"\xED\x9F\xBF", "\xED\x9F\xBF"},              // neighbours that are valid
        {"\xEE\x80\x80", "\xEE\x80\x80"},              //
        {"\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF"},      //
        {"\xE0\xA0\x80", "\xE0\xA0\x80"},              //
        {"\xF0\x90\x80\x80", "\xF0\x90\x80\x80"},      //
        {"\xC2\x80\xC3\xC3\xA4", "\xC2\x80?\xC3\xA4"}, //
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        CHECK_STR(name_written(text_of(CASES[i].name)), CASES[i].text);
    }
}

TEST(what_reads_as_a_time_stamp_loses_its_blank)
{
    CHECK_STR(name_written(TEXT("a 12: x: b")), "a 12:_x: b");
    CHECK_STR(name_written(TEXT("12: x:")), "12:_x:");
    CHECK_STR(name_written(TEXT("a 1.5: x")), "a 1.5:_x");
    CHECK_STR(name_written(TEXT("a .: x")), "a .:_x");
    CHECK_STR(name_written(TEXT("1: 2: 3: x")), "1:_2:_3:_x");
    CHECK_STR(name_written(TEXT("a12: x")), "a12: x"); // no blank before it
    CHECK_STR(name_written(TEXT("f/12: x")), "f/12: x");
    CHECK_STR(name_written(TEXT("a : x")), "a : x"); // no digit
    CHECK_STR(name_written(TEXT("a 12:x")), "a 12:x");
    CHECK_STR(name_written(TEXT(": x")), ": x");
    CHECK_STR(name_written(TEXT(" : x")), " : x");
    CHECK_STR(name_written(TEXT("a 12: ")), "a 12:_");
}

// Whatever a name holds, its line has none of what importers trip over.
TEST(no_name_can_break_its_line)
{
    static const char ALPHABET[] = " 0.:+->a\n\t\xC3\xA4\xFF";
    uint64_t random = 5;
    for (int round = 0; round < 200000; round++) {
        char name[12];
        uint32_t len = (uint32_t)round % sizeof name + 1;
        for (uint32_t i = 0; i < len; i++) {
            random = random * 6364136223846793005ULL + 1442695040888963407ULL;
            name[i] = ALPHABET[(random >> 33) % (sizeof ALPHABET - 1)];
        }
        const char *text = name_written((struct text){name, len});
        CHECK(strpbrk(text, "+\n\t") == NULL);
        CHECK(strstr(text, "->") == NULL);
        for (const char *at = text; (at = strstr(at, ": ")) != NULL; at++) {
            const char *first = at;
            while (first > text && strchr("0123456789.", first[-1]) != NULL) {
                first--;
            }
            CHECK(first == at || (first > text && first[-1] != ' '));
        }
    }
}

// ---- event lines --------------------------------------------------------------------

static const char *time_written(uint64_t time_ns)
{
    static char text[64];
    const char *line = line_written(
        (struct sample){.time_ns = time_ns, .category = TEXT("c"), .pid = 1, .tid = 2});
    snprintf(text, sizeof text, "%.*s", (int)strcspn(strchr(line, ']') + 2, ":"),
             strchr(line, ']') + 2);
    return text;
}

TEST(a_full_second_gets_a_fraction)
{
    CHECK_STR(time_written(0), "0.000001");
    CHECK_STR(time_written(999), "0.000001");
    CHECK_STR(time_written(1000), "0.000001");
    CHECK_STR(time_written(2000), "0.000002");
    CHECK_STR(time_written(999999999), "0.999999");
    CHECK_STR(time_written(1000000000), "1.000001");
    CHECK_STR(time_written(7000000999), "7.000001");
    CHECK_STR(time_written(7000001000), "7.000001");
    CHECK_STR(time_written(1334519344000), "1334.519344");
    CHECK_STR(time_written(1334500000000), "1334.500000");
    CHECK_STR(time_written(UINT64_MAX), "18446744073.709551");
}

TEST(cpus_have_three_digits_or_more)
{
    static const struct {
        uint32_t cpu;
        const char *text;
    } CASES[] = {
        {0, " [000] "},   {9, " [009] "},   {10, " [010] "},    {99, " [099] "},
        {100, " [100] "}, {999, " [999] "}, {1000, " [1000] "}, {UINT32_MAX, " [4294967295] "}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        CHECK_HAS(line_written((struct sample){.cpu = CASES[i].cpu, .category = TEXT("c")}),
                  CASES[i].text);
    }
}

TEST(categories_hold_no_digit_and_no_blank)
{
    static const struct {
        struct text category;
        const char *text;
    } CASES[] = {
        {TEXT("waiting"), "waiting 0/0 "},
        {TEXT("1_scheduler"), "N_scheduler 0/0 "}, // the line would else be a comment
        {TEXT("12"), "N# 0/0 "},
        {TEXT("kworker/0:1H"), "kworker/#:#H 0/0 "},
        {TEXT("#x"), "Nx 0/0 "},
        {TEXT("a b\tc\n"), "a_b_c_ 0/0 "},
        {TEXT("gr\xC3\xB6\xFF"), "gr___ 0/0 "},
        {TEXT(""), "unknown 0/0 "},
        {TEXT("x"), "x_ 0/0 "}, // stackcollapse-perf.pl wants two characters
        {TEXT("7"), "N_ 0/0 "},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const char *line = line_written((struct sample){.category = CASES[i].category});
        CHECK_INT(strncmp(line, CASES[i].text, strlen(CASES[i].text)), 0);
    }
}

TEST(numbers_are_written_whole)
{
    static const char *const METRICS[] = {"m"};
    struct session session = session_with(METRICS, 1);
    const struct metric_value values[] = {{INT64_MIN, INT64_MAX}};
    begin_text();
    append_sample(&session, &(struct sample){.time_ns = 1500000,
                                             .period_ns = UINT64_MAX,
                                             .pid = UINT32_MAX,
                                             .tid = UINT32_MAX,
                                             .category = TEXT("cc"),
                                             .metrics = values});
    CHECK_STR(text_written(), "cc 4294967295/4294967295 [000] 0.001500: metric_m: "
                              "-9223372036854775808, 9223372036854775807\t"
                              "period: 18446744073709551615 beam-wall:\n\n");
}

TEST(without_metrics_the_line_is_that_of_perf)
{
    CHECK_STR(line_written((struct sample){.time_ns = 2500000000,
                                           .period_ns = 9,
                                           .pid = 3,
                                           .tid = 4,
                                           .cpu = 1,
                                           .category = TEXT("beam.smp")}),
              "beam.smp 3/4 [001] 2.500000: 9 beam-wall:\n\n");
}

TEST(frames_say_address_line_and_file)
{
    struct session session = session_with(NULL, 0);
    const struct frame frames[] = {
        FRAME(0xDEADBEEF, "m:f/0", 12, "m.erl"),
        FRAME(0xFFFFFFFF81000000, "do_idle", 0, "[kernel.kallsyms]"),
        FRAME(0, "", 0, ""),
        FRAME(5, "x", UINT32_MAX, "/usr/lib/my lib 1: x.so\n"),
    };
    begin_text();
    append_sample(&session,
                  &(struct sample){.category = TEXT("c"), .frames = frames, .frame_cnt = 4});
    CHECK_STR(strchr(text_written(), '\n'), "\n\tdeadbeef m:f/0;12 (m.erl)\n"
                                            "\tffffffff81000000 do_idle ([kernel.kallsyms])\n"
                                            "\t0 [unknown] ()\n"
                                            "\t5 x;4294967295 (/usr/lib/my_lib_1:_x.so?)\n\n");
}

// ---- header, limits -----------------------------------------------------------------

TEST(the_header_begins_with_the_version_and_names_the_metrics)
{
    static struct session session;
    session_init_beam(&session);
    CHECK(session_set(&session, "node", "%s", "shop@host"));
    static const char WANTED[] =
        "# ========\n# flame_prof: " FLAME_PROF_VERSION "\n# engine: beam\n";
    begin_text();
    CHECK(PERF_SCRIPT_SINK.begin(NULL, &out, &session));
    const char *text = text_written();
    CHECK_INT(strncmp(text, WANTED, sizeof WANTED - 1), 0);
    static const char *const LINES[] = {"\n# hostname: ",
                                        "\n# os_release: ",
                                        "\n# cpus: ",
                                        "\n# node: shop@host\n",
                                        "\n# started: 2",
                                        "\n# clock: CLOCK_MONOTONIC\n",
                                        "\n# clock_anchor_monotonic_ns: ",
                                        "\n# clock_anchor_unix_ns: ",
                                        "\n# event: beam-wall\n",
                                        "\n# period_unit: ns\n",
                                        "\n# metrics: erlang_reductions erlang_message_queue_len "};
    for (size_t i = 0; i < sizeof LINES / sizeof LINES[0]; i++) {
        CHECK_HAS(text, LINES[i]);
    }
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        CHECK_INT(strncmp(line, "# ", 2), 0);
    }
}

TEST(a_full_buffer_is_told_at_every_size)
{
    static const char *const METRICS[] = {"m"};
    struct session session = session_with(METRICS, 1);
    const struct metric_value values[] = {{-12, 34}};
    const struct frame frames[] = {FRAME(1, "a+b", 2, "c d"), FRAME(3, "e", 0, "f")};
    struct sample sample = {
        .category = TEXT("c1"), .frames = frames, .frame_cnt = 2, .metrics = values};
    struct file_summary summary = {.end_reason = "complete"};
    struct byte_buffer whole;
    byte_buffer_init(&whole, 1 << 16);
    CHECK(PERF_SCRIPT_SINK.sample(NULL, &whole, &session, &sample));
    for (size_t limit = 1; limit <= whole.len + 512; limit++) {
        struct byte_buffer small;
        byte_buffer_init(&small, limit);
        bool fits = PERF_SCRIPT_SINK.sample(NULL, &small, &session, &sample);
        bool same = small.len == whole.len && memcmp(small.bytes, whole.bytes, whole.len) == 0;
        byte_buffer_deinit(&small);
        CHECK(!fits || (same && limit >= whole.len));
        CHECK(fits || limit < whole.len + 256); // room for longer numbers is asked for
        byte_buffer_init(&small, limit < whole.len ? limit : whole.len);
        CHECK(!PERF_SCRIPT_SINK.begin(NULL, &small, &session));
        CHECK(!PERF_SCRIPT_SINK.end(NULL, &small, &session, &summary));
        byte_buffer_deinit(&small);
    }
    byte_buffer_deinit(&whole);
}

TEST(a_frame_that_was_kept_reads_as_one_that_was_not)
{
    struct session session = session_with(NULL, 0);
    struct frame frame = FRAME(0x1f, "a+b (c)", 2, "c d");
    struct byte_buffer form;
    byte_buffer_init(&form, 256);
    CHECK(PERF_SCRIPT_SINK.frame(&form, &frame));
    struct sample sample = {.category = TEXT("cc"), .frames = &frame, .frame_cnt = 1};
    begin_text();
    append_sample(&session, &sample);
    frame.shown = (struct text){form.bytes, (uint32_t)form.len};
    frame.name = TEXT("not looked at");
    size_t len = out.len;
    append_sample(&session, &sample);
    CHECK_UINT(out.len, 2 * len);
    CHECK_INT(memcmp(out.bytes, out.bytes + len, len), 0);
    byte_buffer_deinit(&form);
}

TEST(nothing_is_left_of_the_test_buffer)
{
    byte_buffer_deinit(&out);
    CHECK(out.bytes == NULL);
}
