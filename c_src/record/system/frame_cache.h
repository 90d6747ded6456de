// SPDX-License-Identifier: Apache-2.0
// The names found for addresses, so that an address is looked up once and not in
// every sample: a lookup is one probe of a hash table. Names are copied, hence
// independent of the tables they came from. Bounded: when full it begins anew.
// One owner, one thread.
#ifndef FLAME_PROF_RECORD_SYSTEM_FRAME_CACHE_H
#define FLAME_PROF_RECORD_SYSTEM_FRAME_CACHE_H

#include "model/sample.h"
#include "sinks/sink.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    // An address with what was inlined there.
    FRAME_CACHE_MAX_FRAMES_PER_PLACE = 16,
    // Places that can be put between two calls of frame_cache_trim.
    FRAME_CACHE_MAX_PLACES_PER_SAMPLE = 1024,
};
#define FRAME_CACHE_FOREVER UINT64_MAX

struct frame_cache;

// Whose address it is, and which: `owner` tells one reading of a process's
// mappings from all others.
struct frame_key {
    uint64_t owner;
    uint64_t address;
    bool is_return; // the name is that of the call before the address
};

// What is there: the innermost frame first. Valid until the next find or put.
struct frame_place {
    const struct frame *frames;
    uint32_t frame_cnt;
    bool is_named;       // by a symbol, not after its file
    uint64_t expires_ns; // 0 = not kept
};

// `max_text_bytes` bounds names and forms, all together. Frames get their form in
// `sink`, which may be NULL. NULL when out of memory.
struct frame_cache *frame_cache_create(size_t max_text_bytes, const struct sink *sink);
void frame_cache_destroy(struct frame_cache *cache);

// Where to look for the key, and asks memory for it: lookups that are begun some
// steps ahead do not wait. For frame_cache_find before the next put or trim.
uint32_t frame_cache_begin(const struct frame_cache *cache, const struct frame_key *key);

// `begun` is what frame_cache_begin said. False when nothing is known, or no longer
// at `now_ns`. Names are valid until frame_cache_trim.
bool frame_cache_find(struct frame_cache *cache, uint32_t begun, const struct frame_key *key,
                      uint64_t now_ns, struct frame_place *place);

// Keeps a copy until `expires_ns`; `place` then points to the copy. Where memory
// is short, nothing is kept and `place` stays as it is.
void frame_cache_put(struct frame_cache *cache, const struct frame_key *key, uint64_t expires_ns,
                     struct frame_place *place);

// What is known of `from`, one frame for ever in the file `file`, is known of `to` from now
// on, for less than a put costs. False where there is no such frame; where memory is
// short, `place` is good, but nothing is kept.
bool frame_cache_share(struct frame_cache *cache, const struct frame_key *from,
                       const struct frame_key *to, struct text file, struct frame_place *place);

// Begins anew when it is full. Call between two samples.
void frame_cache_trim(struct frame_cache *cache);
// Begins anew. Between two samples.
void frame_cache_clear(struct frame_cache *cache);

size_t frame_cache_memory_bytes(const struct frame_cache *cache);

#endif
