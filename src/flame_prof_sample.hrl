%% SPDX-License-Identifier: Apache-2.0
%% What was seen of one process at one instant.
-record(sample,
        {status :: flame_prof:process_status(),
         os_pid :: non_neg_integer(),
         number :: non_neg_integer(),                 % N of <0.N.S>
         cpu = 0 :: non_neg_integer(),
         time_ns :: non_neg_integer(),                % CLOCK_MONOTONIC
         period_ns :: non_neg_integer(),              % the wall time it stands for
         metrics = [] :: [{Value :: integer(), Delta :: integer()}],
         frames = [] :: [flame_prof_text:frame()],    % leaf first
         name :: undefined | atom(),                  % registered
         initial_call :: undefined | mfa(),
         identity = #{} :: flame_prof_identity:facts()}).
