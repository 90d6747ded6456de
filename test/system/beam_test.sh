#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An Erlang VM that was started with no flags, seen from outside.
. "$(dirname "$0")/case.sh"

start_vm() {
    need_root
    command -v erl >/dev/null || skip "no Erlang here"
    erlc -o . "$root/bench/src/beam_load.erl" || fail "cannot compile beam_load.erl"
    erl -noinput -pa . -pa "$root/ebin" +S 2:2 -eval "$1, beam_load:start()." >vm.log 2>&1 &
    vm=$!
    trap 'kill "$vm" 2>/dev/null' EXIT
    wait_for "$2"
}

# Samples whose thread is a normal scheduler of the VM; names without their lines.
of_schedulers() {
    fold "$1" | grep -E '^[0-9]+/[0-9]+ (N_scheduler|erts_sched)' | sed -E 's/;[0-9]+(;|$)/\1/g'
}

end_of() {
    local cnt
    cnt=$(field x.perf stack_ends | tail -1 | tr " " "\n" | sed -n "s/^$1=//p")
    echo "${cnt:-0}"
}

erlang_stacks_are_complete() {
    local all complete
    start_vm 'ok = file:write_file("ready", "")' ready
    sleep 0.5
    run record -F 499 -p "$vm" -d 2 -o x.perf
    want_code 0
    want_valid --whole x.perf
    all=$(field x.perf stack_ends | tail -1 | tr ' ' '\n' | awk -F= '{ n += $2 } END { print n }')
    complete=$(($(end_of complete) + $(end_of erlang) + $(end_of emulator)))
    want_between "the share of complete stacks: $(field x.perf stack_ends)" "$((complete * 1000 / all))" 970 1000
    want "a function with its process" grep -q 'beam_load:burn/1;[^;]*normal_exit/0;<0\.[0-9]*\.0>$' <(of_schedulers x.perf)
    want "a BIF below its caller" grep -q ';lists:sort/1\|;beam_load:.*bifs/0' <(of_schedulers x.perf)
    want "both ends of a deep stack" grep -q 'beam_load:down/1;.*beam_load:burn/1' <(of_schedulers x.perf)
    echo "     $all samples: $(field x.perf stack_ends | tail -1)"
}

the_scheduler_is_told() {
    start_vm 'ok = file:write_file("ready", "")' ready
    sleep 0.5
    run record -F 499 -p "$vm" -d 2 -o x.perf --categories scheduler
    want_code 0
    want "scheduler 1 or 2 at the root" grep -q ';{scheduler_[12]}$' <(of_schedulers x.perf)
    want "nobody else there" test -z "$(of_schedulers x.perf | grep -v '{scheduler_[12]}$')"
}

names_agree_with_the_perf_map() {
    local agreed
    [ -e "$root/priv/flame_prof_nif.so" ] || skip "the NIF is not built"
    start_vm '{ok, _} = flame_prof:perf_map(), ok = file:write_file("ready", "")' ready
    run record -F 499 -p "$vm" -d 2 -o x.perf
    want_code 0
    # Frames in Erlang files, by address, against the ranges of the map.
    # A leaf, and what the kernel interrupted, is where the code is, the others are behind
    # their calls.
    awk '/^\t/ && ($0 ~ /\(.*\.erl\)$/ || $2 ~ /^global::/) { print $1, is_exact ? 0 : 1, $2 }
         { is_exact = !/^\t/ || /\(\[kernel[^)]*\)$/ }' x.perf |
        sort -u >frames
    # shellcheck disable=SC2016 # perl's
    agreed=$(perl -e '
        open my $map, "<", shift or die; my @all;
        while (<$map>) { chomp; my ($start, $size, $name) = split / /, $_, 3; push @all, [hex $start, hex $size, $name] }
        my ($good, $bad) = (0, 0);
        while (<STDIN>) {
            chomp; my ($at, $back, $name) = split / /, $_, 3; $at = hex($at) - $back; $name =~ s/;\d+$//;
            my ($low, $high) = (0, scalar @all);
            while ($low < $high) { my $m = int(($low + $high) / 2); if ($all[$m][0] <= $at) { $low = $m + 1 } else { $high = $m } }
            next unless $low > 0; my $function = $all[$low - 1];
            next if $at >= $function->[0] + $function->[1];
            $function->[2] =~ s/-CodeInfoPrologue$//;
            if ($function->[2] eq $name) { $good++ } else { $bad++; print STDERR "$name is $function->[2]\n" }
        }
        print "$good $bad"' "/tmp/perf-$vm.map" <frames)
    rm -f "/tmp/perf-$vm.map"
    want_between "addresses that agree ($agreed)" "${agreed% *}" 10 100000
    [ "${agreed#* }" = 0 ] || fail "$agreed: names that are others"
    echo "     ${agreed% *} addresses agree"
}

code_that_is_loaded_meanwhile_has_names() {
    start_vm 'ok = file:write_file("ready", ""), spawn(fun F() -> case filelib:is_file("go") of
        true -> beam_load:swap("later"); false -> timer:sleep(20), F() end end)' ready
    mkdir later
    printf -- '-module(beam_load_swapped).\n-export([run/0]).\nrun() -> _ = lists:seq(1, 1000), run().\n' >later/beam_load_swapped.erl
    erlc -o later later/beam_load_swapped.erl
    start record -F 499 -p "$vm" -d 3 -o x.perf
    wait_for .x.perf.part
    sleep 0.5
    touch go
    finish
    want_code 0
    want "the new module has its name" grep -q 'beam_load_swapped:run/0' <(of_schedulers x.perf)
}

# NAME of vm's layout file, changed by the expressions for sed behind it.
change_layout() { sed -i "$@" "/tmp/flame_prof-$vm.layout"; }

vms() { field x.perf erlang_vms | tail -1; }

named() { of_schedulers x.perf | grep -c 'beam_load:burn/1;.*;<0\.[0-9]*\.0>.*$'; }

record_vm() {
    run record -v -F 499 -p "$vm" -d 1 -o x.perf --categories scheduler
    want_code 0
    want "functions and processes have names" [ "$(named)" -gt 10 ]
    want "scheduler 1 or 2" [ "$(of_schedulers x.perf | grep -c '{scheduler_[12]}$')" -gt 10 ]
}

a_layout_file_is_used_where_it_can_be_believed() {
    local file
    [ -e "$root/priv/flame_prof_nif.so" ] || skip "the NIF is not built"
    start_vm '{ok, _} = flame_prof:perf_map(#{layout => true}), ok = file:write_file("ready", "")' ready
    file=/tmp/flame_prof-$vm.layout
    trap 'kill "$vm" 2>/dev/null; rm -f "$file" "/tmp/perf-$vm.map"' EXIT
    cp "$file" kept
    record_vm
    want "used" [ "$(vms)" = "layout-file=1 memory=0 unreadable=0" ]
    change_layout 's/^start_ticks .*/start_ticks 1/'
    record_vm
    want "not of another process" [ "$(vms)" = "layout-file=0 memory=1 unreadable=0" ]
    want_said "is not believed: it is of a process that began at another time"
    cp kept "$file" && change_layout 's/^build_id ../build_id 99/'
    record_vm
    want_said "is not believed: it is of another build of the emulator"
    cp kept "$file" && change_layout '/^end/d'
    record_vm
    want_said "is not believed: it is of another version or not whole"
    cp kept "$file" && chown 65534 "$file"
    record_vm
    want_said "is not believed: it belongs to another user"
    # A list that is none, and offsets that are not: nothing of it ends up in a stack.
    cp kept "$file" && chown 0 "$file" && change_layout 's/^code_list .*/code_list 0x10000/'
    record_vm
    want "searched for where the file is wrong" [ "$(vms)" = "layout-file=0 memory=1 unreadable=0" ]
    rm "$file"
    record_vm
    want "searched for without it" [ "$(vms)" = "layout-file=0 memory=1 unreadable=0" ]
}

run_cases erlang_stacks_are_complete the_scheduler_is_told names_agree_with_the_perf_map code_that_is_loaded_meanwhile_has_names \
    a_layout_file_is_used_where_it_can_be_believed
