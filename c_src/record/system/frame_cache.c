// SPDX-License-Identifier: Apache-2.0
#include "record/system/frame_cache.h"

#include "base/byte_buffer.h"
#include "base/string_table.h"

#include <stdlib.h>
#include <string.h>

// What a lookup costs are cache misses: the index is small enough to stay near, and tells
// nearly always who is not meant; an entry is one line, which can be asked for in advance.
enum {
    CACHE_LINE_BYTES = 64,
    INDEX_SLOTS = 65536, // a power of two
    MAX_ENTRIES = 32768,
    NUMBER_BITS = 16, // of an index slot
    MAX_INLINED = 32768,
    MAX_FORM_BYTES = 64 << 10,
    // Above these the cache is full; what is left has room for one more sample.
    FULL_ENTRIES = MAX_ENTRIES - FRAME_CACHE_MAX_PLACES_PER_SAMPLE,
    FULL_INLINED =
        MAX_INLINED - FRAME_CACHE_MAX_PLACES_PER_SAMPLE * FRAME_CACHE_MAX_FRAMES_PER_PLACE,
};

struct entry {
    uint64_t owner;
    uint64_t address;
    uint64_t expires_ns;
    const char *name; // these six: of the frame, where there is one only
    const char *file;
    const char *shown;
    uint32_t line;
    uint16_t name_len;
    uint16_t file_len;
    uint16_t shown_len;
    uint16_t first_inlined; // of more than one
    uint8_t frame_cnt;
    bool is_return;
    bool is_named;
};
_Static_assert(sizeof(struct entry) == CACHE_LINE_BYTES, "a line");
_Static_assert((int)MAX_INLINED <= UINT16_MAX, "what first_inlined can tell");
_Static_assert((int)MAX_ENTRIES < 1 << NUMBER_BITS, "what a slot can tell");

struct frame_cache {
    uint32_t *index; // by hash, open addressing: number of the entry + 1, above it more of the hash
    struct entry *entries;
    struct frame *inlined;
    struct frame found; // what the last place of one frame points to
    struct string_table *texts;
    size_t max_text_bytes;
    const struct sink *sink;
    struct byte_buffer form; // of the frame that is being kept
    uint32_t entry_cnt;
    uint32_t inlined_cnt;
};

struct frame_cache *frame_cache_create(size_t max_text_bytes, const struct sink *sink)
{
    struct frame_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL) {
        return NULL;
    }
    cache->max_text_bytes = max_text_bytes;
    cache->sink = sink;
    byte_buffer_init(&cache->form, MAX_FORM_BYTES);
    cache->index = calloc(INDEX_SLOTS, sizeof *cache->index);
    cache->entries = aligned_alloc(CACHE_LINE_BYTES, MAX_ENTRIES * sizeof(struct entry));
    cache->inlined = malloc(MAX_INLINED * sizeof *cache->inlined);
    cache->texts = string_table_create(max_text_bytes);
    if (cache->index == NULL || cache->entries == NULL || cache->inlined == NULL ||
        cache->texts == NULL) {
        frame_cache_destroy(cache);
        return NULL;
    }
    return cache;
}

void frame_cache_destroy(struct frame_cache *cache)
{
    if (cache != NULL) {
        free(cache->index);
        free(cache->entries);
        free(cache->inlined);
        byte_buffer_deinit(&cache->form);
        string_table_destroy(cache->texts);
    }
    free(cache);
}

// --- lookup -------------------------------------------------------------------

static uint64_t hash_of(const struct frame_key *key)
{
    return (key->address ^ key->owner << 48 ^ (uint64_t)key->is_return << 47) *
           0x9e3779b97f4a7c15ULL;
}

static uint32_t place_of(uint64_t hash)
{
    return (uint32_t)(hash >> 40) & (INDEX_SLOTS - 1);
}

static uint32_t number_in(uint32_t slot)
{
    return slot & ((1U << NUMBER_BITS) - 1);
}

// What stands above the number.
static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 8) & ~((1U << NUMBER_BITS) - 1);
}

static bool is_of(const struct entry *entry, const struct frame_key *key)
{
    return entry->address == key->address && entry->owner == key->owner &&
           entry->is_return == key->is_return;
}

static bool slot_is_of(const struct frame_cache *cache, uint32_t slot, uint32_t tag,
                       const struct frame_key *key)
{
    return slot - number_in(slot) == tag && is_of(&cache->entries[number_in(slot) - 1], key);
}

// Where the key's slot is, or would be: there are always free places.
static uint32_t *index_of(const struct frame_cache *cache, const struct frame_key *key)
{
    uint64_t hash = hash_of(key);
    uint32_t at = place_of(hash);
    while (cache->index[at] != 0 && !slot_is_of(cache, cache->index[at], tag_of(hash), key)) {
        at = (at + 1) & (INDEX_SLOTS - 1);
    }
    return &cache->index[at];
}

static void set_number(uint32_t *slot, const struct frame_key *key, uint32_t number)
{
    *slot = tag_of(hash_of(key)) | number;
}

uint32_t frame_cache_begin(const struct frame_cache *cache, const struct frame_key *key)
{
    uint64_t hash = hash_of(key);
    uint32_t slot = cache->index[place_of(hash)];
    bool may_be = slot != 0 && slot - number_in(slot) == tag_of(hash);
    __builtin_prefetch(&cache->entries[may_be ? number_in(slot) - 1 : 0]);
    return may_be ? number_in(slot) : 0;
}

static const struct frame *frames_of(struct frame_cache *cache, const struct entry *entry)
{
    if (entry->frame_cnt != 1) {
        return &cache->inlined[entry->first_inlined];
    }
    cache->found = (struct frame){
        .address = entry->address,
        .name = {entry->name, entry->name_len},
        .line = entry->line,
        .texts = string_table_number(cache->texts),
        .file = {entry->file, entry->file_len},
        .shown = {entry->shown, entry->shown_len},
    };
    return &cache->found;
}

bool frame_cache_find(struct frame_cache *cache, uint32_t begun, const struct frame_key *key,
                      uint64_t now_ns, struct frame_place *place)
{
    bool at_once = begun != 0 && is_of(&cache->entries[begun - 1], key);
    uint32_t number = at_once ? begun : number_in(*index_of(cache, key));
    const struct entry *entry = number == 0 ? NULL : &cache->entries[number - 1];
    if (entry == NULL || entry->expires_ns <= now_ns) {
        return false;
    }
    *place = (struct frame_place){
        .frames = frames_of(cache, entry),
        .frame_cnt = entry->frame_cnt,
        .is_named = entry->is_named,
        .expires_ns = entry->expires_ns,
    };
    return true;
}

// --- keeping ------------------------------------------------------------------

// The text's copy; false when there is no room for it.
static bool keep_text(struct frame_cache *cache, struct text *text)
{
    string_id id = string_table_intern(cache->texts, *text);
    if (id == 0 && text->len > 0) {
        return false;
    }
    *text = string_table_text(cache->texts, id);
    return true;
}

static struct text form_of(struct frame_cache *cache, const struct frame *frame)
{
    byte_buffer_clear(&cache->form);
    if (cache->sink == NULL || cache->sink->frame == NULL ||
        !cache->sink->frame(&cache->form, frame)) {
        return TEXT("");
    }
    return (struct text){cache->form.bytes, (uint32_t)cache->form.len};
}

static bool keep_frames(struct frame_cache *cache, const struct frame_place *place,
                        struct frame *to)
{
    for (uint32_t i = 0; i < place->frame_cnt; i++) {
        struct frame frame = place->frames[i];
        frame.shown = form_of(cache, &frame);
        frame.texts = string_table_number(cache->texts);
        if (frame.name.len > UINT16_MAX || frame.file.len > UINT16_MAX ||
            frame.shown.len > UINT16_MAX || !keep_text(cache, &frame.name) ||
            !keep_text(cache, &frame.file) || !keep_text(cache, &frame.shown)) {
            return false;
        }
        to[i] = frame;
    }
    return true;
}

static bool fits(const struct frame_cache *cache, const struct frame_place *place, bool is_new)
{
    return place->frame_cnt > 0 && place->frame_cnt <= FRAME_CACHE_MAX_FRAMES_PER_PLACE &&
           (!is_new || cache->entry_cnt < MAX_ENTRIES) &&
           (place->frame_cnt == 1 || cache->inlined_cnt + place->frame_cnt <= MAX_INLINED);
}

void frame_cache_put(struct frame_cache *cache, const struct frame_key *key, uint64_t expires_ns,
                     struct frame_place *place)
{
    uint32_t *index = index_of(cache, key);
    bool is_new = *index == 0;
    if (!fits(cache, place, is_new)) {
        return;
    }
    struct entry *entry = &cache->entries[is_new ? cache->entry_cnt : number_in(*index) - 1];
    struct frame *frames =
        place->frame_cnt == 1 ? &cache->found : &cache->inlined[cache->inlined_cnt];
    if (!keep_frames(cache, place, frames)) {
        return;
    }
    *entry = (struct entry){
        .owner = key->owner,
        .address = key->address,
        .expires_ns = expires_ns,
        .name = frames->name.bytes,
        .file = frames->file.bytes,
        .shown = frames->shown.bytes,
        .line = frames->line,
        .name_len = (uint16_t)frames->name.len,
        .file_len = (uint16_t)frames->file.len,
        .shown_len = (uint16_t)frames->shown.len,
        .first_inlined = (uint16_t)cache->inlined_cnt,
        .frame_cnt = (uint8_t)place->frame_cnt,
        .is_return = key->is_return,
        .is_named = place->is_named,
    };
    cache->inlined_cnt += place->frame_cnt == 1 ? 0 : place->frame_cnt;
    set_number(index, key, (uint32_t)(entry - cache->entries) + 1);
    cache->entry_cnt += is_new ? 1 : 0;
    place->frames = frames;
    place->expires_ns = expires_ns;
}

// Its form in the sink tells the address.
static bool move(struct frame_cache *cache, const struct frame_key *to, struct entry *entry)
{
    entry->owner = to->owner;
    entry->address = to->address;
    entry->is_return = to->is_return;
    if (cache->sink == NULL || cache->sink->frame == NULL) {
        return true;
    }
    struct text shown = form_of(cache, frames_of(cache, entry));
    if (shown.len > UINT16_MAX || !keep_text(cache, &shown)) {
        return false;
    }
    entry->shown = shown.bytes;
    entry->shown_len = (uint16_t)shown.len;
    return true;
}

static bool is_file(const struct entry *entry, struct text file)
{
    return text_equal((struct text){entry->file, entry->file_len}, file);
}

bool frame_cache_share(struct frame_cache *cache, const struct frame_key *from,
                       const struct frame_key *to, struct text file, struct frame_place *place)
{
    uint32_t number = number_in(*index_of(cache, from));
    const struct entry *known = number == 0 ? NULL : &cache->entries[number - 1];
    if (known == NULL || known->frame_cnt != 1 || known->expires_ns != FRAME_CACHE_FOREVER ||
        !is_file(known, file)) {
        return false;
    }
    struct entry entry = *known;
    bool is_moved = move(cache, to, &entry);
    uint32_t *index = index_of(cache, to);
    if (is_moved && *index == 0 && cache->entry_cnt < MAX_ENTRIES) {
        cache->entries[cache->entry_cnt++] = entry;
        set_number(index, to, cache->entry_cnt);
    }
    *place = (struct frame_place){
        .frames = frames_of(cache, &entry),
        .frame_cnt = 1,
        .is_named = entry.is_named,
        .expires_ns = FRAME_CACHE_FOREVER,
    };
    return is_moved;
}

void frame_cache_trim(struct frame_cache *cache)
{
    if (cache->entry_cnt > FULL_ENTRIES || cache->inlined_cnt > FULL_INLINED ||
        string_table_refused(cache->texts) > 0) {
        frame_cache_clear(cache);
    }
}

void frame_cache_clear(struct frame_cache *cache)
{
    struct string_table *texts = string_table_create(cache->max_text_bytes);
    if (texts == NULL) {
        return;
    }
    string_table_destroy(cache->texts);
    cache->texts = texts;
    memset(cache->index, 0, INDEX_SLOTS * sizeof *cache->index);
    cache->entry_cnt = 0;
    cache->inlined_cnt = 0;
}

// Of the arrays only what was used was ever touched.
size_t frame_cache_memory_bytes(const struct frame_cache *cache)
{
    return sizeof *cache + INDEX_SLOTS * sizeof *cache->index +
           cache->entry_cnt * sizeof *cache->entries + cache->inlined_cnt * sizeof(struct frame) +
           string_table_memory_bytes(cache->texts);
}
