// SPDX-License-Identifier: Apache-2.0
// What is taken from a layout file, and what is none.
#include "record/system/layout_file.h"

#include "test.h"

static struct layout_file layout;

static bool parse(const char *text)
{
    return layout_file_parse(&layout, text_of(text));
}

#define WHOLE(lines) "flame_prof_layout 1\n" lines "end\n"

TEST(what_names_frames_is_taken)
{
    CHECK(parse(WHOLE("os_pid 4242\n"
                      "start_ticks 1234567890123\n"
                      "erts_version 15.2.7\n"
                      "build_id 00ffa0\n"
                      "process_table 0x7f00abc0 1024\n"
                      "size process_bytes 776\n"
                      "offset heap 192\n"
                      "offset htop 80\n"
                      "offset stop 88\n"
                      "scheduler_offset no 184\n"
                      "scheduler normal 1 0x7f00 4243\n"
                      "scheduler dirty_cpu 2 0x7f80 4244\n"
                      "scheduler dirty_io 3 0x7f90 0\n"
                      "scheduler other 3 0x7f90 7\n"
                      "code_list 0x7f10\n"
                      "code 0x1000 0x2fff\n"
                      "a_key_of_tomorrow with values\n")));
    CHECK_UINT(layout.os_pid, 4242);
    CHECK_UINT(layout.start_ticks, 1234567890123);
    CHECK_UINT(layout.erts_major, 15);
    CHECK_UINT(layout.build_id_len, 3);
    CHECK_INT(memcmp(layout.build_id, "\x00\xff\xa0", 3), 0);
    CHECK_UINT(layout.slot_cnt, 1024);
    CHECK_UINT(layout.heap, 192);
    CHECK_UINT(layout.htop, 80);
    CHECK_UINT(layout.stop, 88);
    CHECK_UINT(layout.code_list, 0x7f10);
    CHECK_UINT(layout.scheduler_cnt, 2);
    CHECK_UINT(layout.schedulers[0].tid, 4243);
    CHECK_STR(layout.schedulers[0].is.kind, "scheduler");
    CHECK_UINT(layout.schedulers[1].is.number, 2);
    CHECK_STR(layout.schedulers[1].is.kind, "dirty_cpu");
}

TEST(what_makes_no_sense_is_not_known)
{
    CHECK(parse(WHOLE("os_pid 4294967296\n"
                      "start_ticks -1\n"
                      "build_id 0g\n"
                      "process_table 0x7f00abc0 999999999\n"
                      "offset stop 87\n"
                      "offset heap 65536\n"
                      "offset\n"
                      "scheduler normal 1\n"
                      "scheduler normal 99999 0x7f00 1\n"
                      "code_list 7f10\n"
                      "code_list 0x\n"
                      "\n"
                      " \n")));
    CHECK_UINT(layout.os_pid, 0);
    CHECK_UINT(layout.start_ticks, 0);
    CHECK_UINT(layout.build_id_len, 0);
    CHECK_UINT(layout.slot_cnt, 0);
    CHECK_UINT(layout.stop, 0);
    CHECK_UINT(layout.heap, 0);
    CHECK_UINT(layout.scheduler_cnt, 0);
    CHECK_UINT(layout.code_list, 0);
}

TEST(what_is_no_layout_or_not_whole_is_refused)
{
    CHECK(!parse(""));
    CHECK(!parse("end\n"));
    CHECK(!parse("flame_prof_layout 2\nend\n"));
    CHECK(!parse("flame_prof_layout\nend\n"));
    CHECK(!parse("flame_prof_layout 1\nos_pid 1\n"));
    CHECK(!parse("flame_prof_layout 1\nos_pid 1\nend"));
    CHECK(!parse("flame_prof_layout 1\nend\nos_pid 1\n"));
    CHECK(parse("flame_prof_layout 1\nend\n"));
}

TEST(more_schedulers_than_there_is_room_for)
{
    static char text[128 << 10];
    size_t len = (size_t)snprintf(text, sizeof text, "flame_prof_layout 1\n");
    for (int i = 1; i <= LAYOUT_FILE_MAX_SCHEDULERS + 100; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "scheduler dirty_io %d 0x7f00 %d\n",
                                i % 1024 + 1, i);
    }
    (void)snprintf(text + len, sizeof text - len, "end\n");
    CHECK(parse(text));
    CHECK_UINT(layout.scheduler_cnt, LAYOUT_FILE_MAX_SCHEDULERS);
}
