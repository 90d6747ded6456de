// SPDX-License-Identifier: Apache-2.0
#include "model/first_word.h"

static bool begins_with(struct text text, struct text begin)
{
    return text.len >= begin.len && memcmp(text.bytes, begin.bytes, begin.len) == 0;
}

enum profile_dimension_idx first_word_of(struct text event, struct text metric)
{
    if (text_equal(event, TEXT("beam-cpu"))) {
        return PROFILE_STATE;
    }
    bool is_process = begins_with(metric, TEXT("erlang_")) || begins_with(event, TEXT("beam-"));
    return is_process ? PROFILE_STATUS : PROFILE_COMM;
}
