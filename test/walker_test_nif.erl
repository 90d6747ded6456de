%% SPDX-License-Identifier: Apache-2.0
%% @doc Somebody else's NIF (walker_SUITE_data/walker_test_nif.c).
-module(walker_test_nif).

-export([build/2, load/1]).
-export([spin/1, spin_dirty/1, take_faults/0, give_faults_back/0, fault/0, fault_handler/0,
         refuse_readv/0, thread_cpu_ns/0, compute/1, signals_on/1, signals_off/0]).

-nifs([spin/1, spin_dirty/1, take_faults/0, give_faults_back/0, fault/0, fault_handler/0,
       refuse_readv/0, thread_cpu_ns/0, compute/1, signals_on/1, signals_off/0]).

%% Compiles it; what load/1 takes.
build(DataDir, OutDir) ->
    Compiler = os:getenv("CC", "cc"),
    Out = filename:join(OutDir, ?MODULE),
    case os:find_executable(hd(string:lexemes(Compiler, " "))) of
        false ->
            {error, "there is no C compiler " ++ Compiler};
        _ ->
            Command = lists:flatten(
                        [Compiler, " -shared -fPIC -O1 -Wall -Werror -I", code:root_dir(),
                         "/usr/include -o ", Out, ".so ",
                         filename:join(DataDir, atom_to_list(?MODULE) ++ ".c"), " && echo built"]),
            case string:trim(os:cmd(Command)) of
                "built" -> {ok, Out};
                Output -> {error, Output}
            end
    end.

%% Another suite may have loaded it.
load(Path) ->
    case erlang:load_nif(Path, 0) of
        {error, {reload, _}} -> ok;
        Result -> Result
    end.

spin(_) -> erlang:nif_error(not_loaded).
spin_dirty(_) -> erlang:nif_error(not_loaded).
take_faults() -> erlang:nif_error(not_loaded).
give_faults_back() -> erlang:nif_error(not_loaded).
fault() -> erlang:nif_error(not_loaded).
fault_handler() -> erlang:nif_error(not_loaded).
refuse_readv() -> erlang:nif_error(not_loaded).
thread_cpu_ns() -> erlang:nif_error(not_loaded).
compute(_) -> erlang:nif_error(not_loaded).
signals_on(_) -> erlang:nif_error(not_loaded).
signals_off() -> erlang:nif_error(not_loaded).
