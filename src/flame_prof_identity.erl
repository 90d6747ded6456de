%% SPDX-License-Identifier: Apache-2.0
%% @doc Who a process is, beyond its name and initial call, as the portable tier asks
%% for it: in the same question to the process as everything else.
%%
%% Label and ancestors are in the dictionary, of which single keys can be asked for
%% since OTP 26.2 only; before that they are not told.
-module(flame_prof_identity).

-export([items/2, facts/1, text/2]).
-export_type([facts/0]).

-type facts() :: #{priority => atom(), application => atom(), parent => pid() | atom(),
                   ancestors => [pid() | atom(), ...], label => term()}.
%% What is not known is not there.

-define(ANCESTORS, {dictionary, '$ancestors'}).
-define(LABEL, {dictionary, '$process_label'}).
-define(ANCESTORS_MAX, 4).
-define(LABEL_DEPTH, 20).

%% @doc What to ask `process_info/2' for, to tell these categories.
-spec items([flame_prof:category()], HasDictionaryKey :: boolean()) -> [term()].
items(Categories, HasKey) ->
    lists:usort([Item || Category <- Categories, Item <- items_of(Category),
                         HasKey orelse is_atom(Item)]).

items_of(priority) -> [priority];
items_of(application) -> [group_leader];
items_of(parent) -> [parent, ?ANCESTORS];
items_of(ancestors) -> [?ANCESTORS];
items_of(label) -> [?LABEL];
items_of(_) -> [].

%% @doc Out of an answer that may hold other things as well.
-spec facts([{term(), term()}]) -> facts().
facts(Info) ->
    maps:from_list(lists:append([fact(Item, Value) || {Item, Value} <- lists:reverse(Info)])).

fact(priority, Priority) -> [{priority, Priority}];
fact(group_leader, Leader) -> application(Leader);
fact(parent, Parent) when is_pid(Parent) -> [{parent, Parent}];
fact(?ANCESTORS, [Parent | _] = Ancestors) when is_pid(Parent); is_atom(Parent) ->
    [{ancestors, family(Ancestors, ?ANCESTORS_MAX)}];
fact(?LABEL, undefined) -> [];
fact(?LABEL, Label) -> [{label, Label}];
fact(_, _) -> [].

family([Relative | Rest], N) when N > 0, is_pid(Relative) orelse is_atom(Relative) ->
    [Relative | family(Rest, N - 1)];
family(_, _) ->
    [].

application(Leader) ->
    case lists:keyfind(Leader, 1, flame_prof_processes:applications()) of
        {_, Name} -> [{application, Name}];
        false -> []
    end.

%% @doc As a root frame has it; `none' where it is not known.
-spec text(flame_prof:category(), facts()) -> unicode:chardata() | none.
text(parent, #{ancestors := [Parent | _]}) -> relative(Parent);
text(parent, #{parent := Parent}) -> relative(Parent);
text(ancestors, #{ancestors := Ancestors}) ->
    lists:join($/, [relative(Relative) || Relative <- lists:reverse(Ancestors)]);
text(label, #{label := Label}) -> label(Label);
text(Category, Facts) ->
    case Facts of
        #{Category := Name} when is_atom(Name) -> atom_to_binary(Name);
        #{} -> none
    end.

relative(Name) when is_atom(Name) -> atom_to_binary(Name);
relative(Pid) -> pid_to_list(Pid).

label(Label) when is_atom(Label) ->
    atom_to_binary(Label);
label(Label) when is_binary(Label) ->
    Label;
label(Label) ->
    case io_lib:char_list(Label) andalso Label =/= [] of
        true -> Label;
        false -> io_lib:format("~0tP", [Label, ?LABEL_DEPTH])
    end.
