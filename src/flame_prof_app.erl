%% SPDX-License-Identifier: Apache-2.0
%% @doc The application: the supervisor, and nothing sampled until asked for.
-module(flame_prof_app).
-behaviour(application).

-export([start/2, stop/1]).

-spec start(application:start_type(), term()) -> {ok, pid()} | {error, term()}.
start(_, _) ->
    flame_prof_sup:start_link().

-spec stop(term()) -> ok.
stop(_) ->
    ok.
