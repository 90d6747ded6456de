// SPDX-License-Identifier: Apache-2.0
// The frame that an address of JIT code stands for, as all engines show it.
#ifndef FLAME_PROF_RECORD_BEAM_ERLANG_FRAME_H
#define FLAME_PROF_RECORD_BEAM_ERLANG_FRAME_H

#include "model/sample.h"
#include "symbols/beam/code_map.h"

#include <stdbool.h>
#include <stdint.h>

enum erlang_frame {
    ERLANG_FRAME_NONE, // no code, a fragment that is nobody's function, or one that is left out
    ERLANG_FRAME_NAMED,
    ERLANG_FRAME_UNKNOWN, // code, but not whose
};

struct erlang_frames {
    const struct code_map *code;
    uint32_t generation;     // of the code, when the sample was taken
    bool flatten_recursive;  // a function that calls itself is one frame
    uint64_t *last_function; // its start; 0 before the first frame
};

// `frame_ret` is set unless it is NONE; its texts are the map's. A return address points behind
// the call: it is looked up one byte before, as the VM does (gather_stacktrace,
// https://github.com/erlang/otp/blob/OTP-27.0/erts/emulator/beam/beam_common.c).
enum erlang_frame erlang_frame_at(const struct erlang_frames *frames, uint64_t address,
                                  bool is_return, struct frame *frame_ret);

#endif
