// SPDX-License-Identifier: Apache-2.0
// Who a process is by its dictionary (capture/beam/dictionary_identity.h), looked at from
// another thread while it may run on.
#ifndef FLAME_PROF_CAPTURE_BEAM_IDENTITY_LOOK_H
#define FLAME_PROF_CAPTURE_BEAM_IDENTITY_LOOK_H

#include "capture/beam/dictionary_identity.h"
#include "capture/beam/memory_reader.h"
#include "capture/beam/process_snapshot.h"

enum identity_look {
    IDENTITY_LOOK_FAILED,  // its heap was on the move: next time
    IDENTITY_LOOK_RUNNING, // it ran meanwhile: good enough to show, not to keep
    IDENTITY_LOOK_STILL,
};

// `snapshot` is the process as it was just now, `again` room for a second look at it.
// The identity is set unless it failed.
enum identity_look identity_look_at(struct memory_reader *reader, const struct otp_layout *layout,
                                    const struct process_snapshot *snapshot,
                                    struct process_snapshot *again,
                                    struct dictionary_identity *identity_ret);

#endif
