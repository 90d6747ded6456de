// SPDX-License-Identifier: Apache-2.0
// Who was seen is known until he is forgotten, or somebody else takes the place.
#include "capture/beam/seen_processes.h"

#include "test.h"

static struct seen_processes seen;

static uint64_t pid(uint64_t number)
{
    return number << 32 | 3;
}

TEST(who_was_seen_is_known)
{
    CHECK(!seen_processes_has(&seen, pid(1)));
    seen_processes_add(&seen, pid(1));
    CHECK(seen_processes_has(&seen, pid(1)));
    CHECK(!seen_processes_has(&seen, pid(2)));
    seen_processes_forget(&seen, pid(2));
    CHECK(seen_processes_has(&seen, pid(1)));
    seen_processes_forget(&seen, pid(1));
    CHECK(!seen_processes_has(&seen, pid(1)));
}

TEST(who_needs_the_place_has_it)
{
    uint64_t other = 2;
    while (seen_processes_place(&seen, pid(other)) != seen_processes_place(&seen, pid(1))) {
        other++;
    }
    seen_processes_add(&seen, pid(1));
    seen_processes_add(&seen, pid(other));
    CHECK(!seen_processes_has(&seen, pid(1)));
    seen_processes_forget(&seen, pid(1)); // the other stays
    CHECK(seen_processes_has(&seen, pid(other)));
}

TEST(hundreds_find_places_of_their_own)
{
    uint32_t known = 0;
    for (uint64_t i = 0; i < 400; i++) {
        seen_processes_add(&seen, pid(1000 + i));
    }
    for (uint64_t i = 0; i < 400; i++) {
        known += seen_processes_has(&seen, pid(1000 + i));
    }
    CHECK(known > 360);
}
