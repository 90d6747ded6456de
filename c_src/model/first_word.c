// SPDX-License-Identifier: Apache-2.0
#include "model/first_word.h"

enum profile_dimension_idx first_word_of(struct text event, struct text metric)
{
    if (text_equal(event, TEXT("beam-cpu"))) {
        return PROFILE_STATE;
    }
    bool is_process =
        text_begins_with(metric, TEXT("erlang_")) || text_begins_with(event, TEXT("beam-"));
    return is_process ? PROFILE_STATUS : PROFILE_COMM;
}
