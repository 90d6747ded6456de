%% SPDX-License-Identifier: Apache-2.0
-module(flame_prof_layout_tests).

-include_lib("eunit/include/eunit.hrl").

%% docs/layout-file.md, byte by byte.
the_text_is_as_documented_test() ->
    Facts = #{os_pid => "4242", start_ticks => 17, otp_release => "27",
              erts_version => "15.2.7", machine => "x86_64", build_id => "", code_list => 0,
              layout => #{id => 0, stop => 88, slot_in_low_bits => 1, slot_cnt => 1024,
                          table_address => 16#7F00ABC0, process_bytes => 776,
                          message_bytes => 88, psd_bytes => 80},
              code => [{16#1000, 16#2FFF}, {16#A000, 16#B000}],
              scheduler_offsets => #{current_process => 168, no => 184}, schedulers => []},
    ?assertEqual(<<"flame_prof_layout 1\n"
                   "os_pid 4242\n"
                   "start_ticks 17\n"
                   "otp_release 27\n"
                   "erts_version 15.2.7\n"
                   "machine x86_64\n"
                   "pid_encoding slot_in_low_bits\n"
                   "process_table 0x7f00abc0 1024\n"
                   "size process_bytes 776\n"
                   "size message_bytes 88\n"
                   "size psd_bytes 80\n"
                   "offset id 0\n"
                   "offset stop 88\n"
                   "code 0x1000 0x2fff\n"
                   "code 0xa000 0xb000\n"
                   "end\n">>, iolist_to_binary(flame_prof_layout:text(Facts))),
    Known = Facts#{build_id => "00ff", code_list => 16#7F10},
    ?assertMatch({_, _}, binary:match(iolist_to_binary(flame_prof_layout:text(Known)),
                                      <<"\nmachine x86_64\nbuild_id 00ff\npid_encoding ">>)),
    ?assertMatch({_, _}, binary:match(iolist_to_binary(flame_prof_layout:text(Known)),
                                      <<"\ncode_list 0x7f10\ncode 0x1000 0x2fff\n">>)),
    With = Facts#{schedulers := [{normal, 1, 16#7F00, 4243}, {dirty_cpu, 2, 16#7F80, 0}]},
    ?assertMatch({_, _}, binary:match(iolist_to_binary(flame_prof_layout:text(With)),
                                      <<"\nscheduler_offset current_process 168\n"
                                        "scheduler_offset no 184\n"
                                        "scheduler normal 1 0x7f00 4243\n"
                                        "scheduler dirty_cpu 2 0x7f80 0\ncode ">>)).

%% As readelf says it, where there is one.
the_build_id_is_that_of_the_file_test() ->
    ?assertEqual("", flame_prof_build_id:of_file("/proc/self/cmdline")),
    ?assertEqual("", flame_prof_build_id:of_file("/nowhere")),
    case string:trim(os:cmd("readelf -n /proc/self/exe 2>/dev/null | sed -n 's/.*Build ID: //p'")) of
        "" -> ok;
        Id ->
            Readelf = string:trim(os:cmd("command -v readelf")),
            ?assertEqual(Id, flame_prof_build_id:of_file(Readelf))
    end.
