// SPDX-License-Identifier: Apache-2.0
// Who the processes of the last samples are: the signal handler does not read again
// what it has read before, and cannot read all of it in the midst of a collection. Bounded: the
// longest unseen makes room. Writer's thread only.
#ifndef FLAME_PROF_RECORD_BEAM_IDENTITY_CACHE_H
#define FLAME_PROF_RECORD_BEAM_IDENTITY_CACHE_H

#include "capture/beam/cpu_sample.h"

#include <stdint.h>

struct identity_cache;

struct identity_cache *identity_cache_create(void);
void identity_cache_destroy(struct identity_cache *cache);

// Remembers what was read of the process `id` at `time_ns`; what was not is filled in from
// earlier samples, where there are any.
void identity_cache_complete(struct identity_cache *cache, uint64_t id, enum identity_read read,
                             uint64_t time_ns, struct dictionary_identity *identity);

// Is it time to look again? A label may change. True also for who was never read whole.
bool identity_cache_is_old(struct identity_cache *cache, uint64_t id, uint64_t time_ns);

#endif
