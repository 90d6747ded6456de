// SPDX-License-Identifier: Apache-2.0
// How functions of BEAM modules are called in frames: Erlang's as
// `lists:map/2`, those of a module that Elixir made as Elixir programs call them,
// `MyApp.Shop.total/2`. src/flame_prof_name.erl says the same. Pure.
#ifndef FLAME_PROF_MODEL_BEAM_NAME_H
#define FLAME_PROF_MODEL_BEAM_NAME_H

#include "base/text.h"

#include <stddef.h>

// What a name in the VM's own words is not longer than when it is shown.
enum { BEAM_NAME_MAX_BYTES = 2048 };

// The module of an atom's text: without the prefix that Elixir adds. Borrowed.
struct text beam_name_module(struct text module);

// `module:function/arity`. For Elixir:
//     Elixir.My.Mod  run/0              My.Mod.run/0
//     Elixir.My.Mod  -run/0-fun-2-/1    My.Mod.run/0-fn-2/1      third fn in run/0
//     Elixir.My.Mod  -fun.run/0-/0      &My.Mod.run/0            captured
//     Elixir.My.Mod  -run/0-lc$^0/1-0-  My.Mod.run/0-lc$^0/1-0   comprehension
// Borrowed from `bytes`; what does not fit is cut.
struct text beam_name_function(struct text module, struct text function, struct text arity,
                               char *bytes, size_t max_bytes);

// The same for a function as the VM prints it, with quotes where an atom needs
// them: `'Elixir.My.Mod':'ok?'/1`. What is no function of a module (`global::x`)
// stays but for the quotes.
struct text beam_name_printed(struct text printed, char *bytes, size_t max_bytes);

// The module in such a name, as its atom has it; empty where there is none.
struct text beam_name_printed_module(struct text printed, char *bytes, size_t max_bytes);

// The file that a module without line numbers is said to be in, from an atom's
// text: `lists.erl`, `My.Mod.ex`. Borrowed from `bytes`.
struct text beam_name_file(struct text module, char *bytes, size_t max_bytes);

#endif
