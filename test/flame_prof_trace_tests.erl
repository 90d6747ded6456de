%% SPDX-License-Identifier: Apache-2.0
-module(flame_prof_trace_tests).

-include_lib("eunit/include/eunit.hrl").

sessions_are_the_release_s_and_no_module_s_of_that_name_test() ->
    Has = list_to_integer(erlang:system_info(otp_release)) >= 27,
    Loaded = Has orelse load_somebody_s_trace(),
    try
        ?assertEqual(Has, flame_prof_trace:has_sessions()),
        ?assertEqual(case Has of true -> trace_session; false -> erlang_trace end,
                     flame_prof_trace:kind(flame_prof_trace:new()))
    after
        Loaded =:= loaded andalso (true = code:delete(trace)) andalso code:purge(trace)
    end.

%% Of a release that has none by itself.
load_somebody_s_trace() ->
    {ok, trace, Binary} = compile:forms([{attribute, 1, module, trace}], []),
    {module, trace} = code:load_binary(trace, "somebody's", Binary),
    loaded.
