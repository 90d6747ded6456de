// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/identity_look.h"

// Nothing was moved between two looks: what was read in between is what was there.
static bool same_heaps(const struct process_snapshot *before, const struct process_snapshot *after)
{
    return after->end == before->end && after->dictionary == before->dictionary &&
           after->heap == before->heap && after->old_heap == before->old_heap &&
           after->values[BEAM_METRIC_MINOR_GCS] == before->values[BEAM_METRIC_MINOR_GCS];
}

enum identity_look identity_look_at(struct memory_reader *reader, const struct otp_layout *layout,
                                    const struct process_snapshot *snapshot,
                                    struct process_snapshot *again,
                                    struct dictionary_identity *identity_ret)
{
    struct dictionary_identity identity = {0};
    struct word_reader words = memory_reader_word_reader(reader);
    if (snapshot->end != SNAPSHOT_WHOLE && snapshot->end != SNAPSHOT_PARTIAL) {
        return IDENTITY_LOOK_FAILED;
    }
    bool is_still = snapshot->end == SNAPSHOT_WHOLE;
    if (snapshot->dictionary != 0) {
        dictionary_identity_read(&words, layout, snapshot->dictionary, UINT32_MAX, &identity);
        again->id = snapshot->id;
        process_snapshot_batch(reader, layout, &again, 1);
        if (!same_heaps(snapshot, again)) {
            return IDENTITY_LOOK_FAILED;
        }
        is_still = is_still && again->values[BEAM_METRIC_REDUCTIONS] ==
                                   snapshot->values[BEAM_METRIC_REDUCTIONS];
    }
    *identity_ret = identity;
    return is_still ? IDENTITY_LOOK_STILL : IDENTITY_LOOK_RUNNING;
}
