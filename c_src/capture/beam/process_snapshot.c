// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/process_snapshot.h"

#include "capture/beam/guarded_read.h"
#include "capture/beam/message_data.h"
#include "capture/beam/term.h"

#include <string.h>

enum {
    PROCESS_WORDS = LAYOUT_MAX_PROCESS_BYTES / 8,
    REGPROC_WORDS = LAYOUT_MAX_REGPROC_BYTES / 8,
    READS_PER_PROCESS = 4
};
_Static_assert(SNAPSHOT_MAX_BATCH *READS_PER_PROCESS <= MEMORY_READER_MAX_BATCH,
               "one batch of reads must hold every process of a batch");

struct image {
    uint64_t words[PROCESS_WORDS];
};

// What is read beside the struct, and for which snapshot.
struct companion {
    uint64_t regproc[REGPROC_WORDS];
    uint64_t dictionary_sizes;
    struct memory_read *regproc_read;
    struct memory_read *dictionary_read;
};

static uint64_t word(const struct otp_layout *layout, const struct image *image,
                     enum layout_field field)
{
    return image->words[layout->offset[field] / 8];
}

static uint32_t half(const struct otp_layout *layout, const struct image *image,
                     enum layout_field field)
{
    uint32_t value;
    memcpy(&value, (const char *)image->words + layout->offset[field], sizeof value);
    return value;
}

static bool ordered(uint64_t a, uint64_t b, uint64_t c)
{
    return a <= b && b <= c && ((a | b | c) & 7) == 0;
}

static bool plausible(const struct otp_layout *layout, const struct image *image)
{
    uint64_t heap = word(layout, image, LAYOUT_HEAP);
    uint64_t htop = word(layout, image, LAYOUT_HTOP);
    uint64_t stop = word(layout, image, LAYOUT_STOP);
    uint64_t hend = word(layout, image, LAYOUT_HEND);
    uint64_t old_heap = word(layout, image, LAYOUT_OLD_HEAP);
    uint64_t old_htop = word(layout, image, LAYOUT_OLD_HTOP);
    uint64_t old_hend = word(layout, image, LAYOUT_OLD_HEND);
    return heap != 0 && hend < (1ULL << 47) && ordered(heap, htop, stop) &&
           ordered(htop, stop, hend) && (old_heap == 0 || ordered(old_heap, old_htop, old_hend));
}

// While a collection is put off, the process runs on in a heap fragment, stack
// included, and heap_sz still means the heap it left (delay_garbage_collection,
// erl_gc.c).
static bool heap_is_in_one_place(const struct otp_layout *layout, const struct image *image)
{
    uint64_t bytes = word(layout, image, LAYOUT_HEND) - word(layout, image, LAYOUT_HEAP);
    return bytes / 8 == word(layout, image, LAYOUT_HEAP_SZ);
}

static const enum layout_field STABLE_FIELDS[] = {
    LAYOUT_ID,   LAYOUT_REDS, LAYOUT_HTOP, LAYOUT_STOP,       LAYOUT_HEAP,
    LAYOUT_HEND, LAYOUT_I,    LAYOUT_REG,  LAYOUT_DICTIONARY, LAYOUT_MSGQ_FIRST,
};

static bool unchanged(const struct otp_layout *layout, const struct image *before,
                      const struct image *after)
{
    for (size_t i = 0; i < sizeof STABLE_FIELDS / sizeof STABLE_FIELDS[0]; i++) {
        if (word(layout, before, STABLE_FIELDS[i]) != word(layout, after, STABLE_FIELDS[i])) {
            return false;
        }
    }
    return process_status_of(half(layout, before, LAYOUT_STATE)) ==
           process_status_of(half(layout, after, LAYOUT_STATE));
}

// A running process changes by design; its stack bounds may not.
static bool same_stack_area(const struct otp_layout *layout, const struct image *before,
                            const struct image *after)
{
    return word(layout, before, LAYOUT_ID) == word(layout, after, LAYOUT_ID) &&
           word(layout, before, LAYOUT_HEAP) == word(layout, after, LAYOUT_HEAP) &&
           word(layout, before, LAYOUT_HEND) == word(layout, after, LAYOUT_HEND) &&
           process_status_of(half(layout, after, LAYOUT_STATE)) != PROCESS_GARBAGE_COLLECTING;
}

static int64_t queue_len(const struct otp_layout *layout, const struct image *image)
{
    // Either part may be an offset, negative while signals are in transit.
    int64_t sum =
        (int64_t)(word(layout, image, LAYOUT_MSGQ_LEN) + word(layout, image, LAYOUT_INQ_LEN));
    return sum < 0 ? 0 : sum;
}

static int64_t words_between(uint64_t from, uint64_t to)
{
    return to > from ? (int64_t)((to - from) / 8) : 0;
}

// Words that are read may hold anything: what is too large wraps.
static int64_t plus(int64_t sum, int64_t words, uint64_t factor)
{
    return (int64_t)((uint64_t)sum + (uint64_t)words * factor);
}

static void fill_sizes(const struct otp_layout *layout, const struct image *image, int64_t *values)
{
    uint64_t heap = word(layout, image, LAYOUT_HEAP);
    uint64_t old_heap = word(layout, image, LAYOUT_OLD_HEAP);
    int64_t heap_block = (int64_t)word(layout, image, LAYOUT_HEAP_SZ);
    int64_t old_block = words_between(old_heap, word(layout, image, LAYOUT_OLD_HEND));
    int64_t mbuf = (int64_t)word(layout, image, LAYOUT_MBUF_SZ);
    uint16_t minor_gcs;
    memcpy(&minor_gcs, (const char *)image->words + layout->offset[LAYOUT_GEN_GCS],
           sizeof minor_gcs);
    values[BEAM_METRIC_HEAP_BLOCK_SIZE] = heap_block;
    values[BEAM_METRIC_OLD_HEAP_BLOCK_SIZE] = old_block;
    values[BEAM_METRIC_MBUF_SIZE] = mbuf;
    values[BEAM_METRIC_TOTAL_HEAP_SIZE] = plus(heap_block + old_block, mbuf, 1);
    values[BEAM_METRIC_RECENT_SIZE] = words_between(heap, word(layout, image, LAYOUT_HIGH_WATER));
    values[BEAM_METRIC_STACK_SIZE] =
        words_between(word(layout, image, LAYOUT_STOP), word(layout, image, LAYOUT_HEND));
    values[BEAM_METRIC_OLD_HEAP_SIZE] =
        words_between(old_heap, word(layout, image, LAYOUT_OLD_HTOP));
    values[BEAM_METRIC_HEAP_SIZE] = words_between(heap, word(layout, image, LAYOUT_HTOP));
    values[BEAM_METRIC_BIN_VHEAP_SIZE] = (int64_t)word(layout, image, LAYOUT_OVERHEAD);
    values[BEAM_METRIC_BIN_VHEAP_BLOCK_SIZE] = (int64_t)word(layout, image, LAYOUT_BIN_VHEAP_SZ);
    values[BEAM_METRIC_BIN_OLD_VHEAP_SIZE] = (int64_t)word(layout, image, LAYOUT_BIN_OLD_VHEAP);
    values[BEAM_METRIC_BIN_OLD_VHEAP_BLOCK_SIZE] =
        (int64_t)word(layout, image, LAYOUT_BIN_OLD_VHEAP_SZ);
    values[BEAM_METRIC_MINOR_GCS] = minor_gcs;
}

// 0 where it is a pid of another node, or where nobody knows the place of the field.
static uint64_t local_pid(const struct otp_layout *layout, const struct image *image,
                          enum layout_field field)
{
    uint64_t term = otp_layout_has(layout, field) ? word(layout, image, field) : 0;
    return term_is_pid(term) ? term : 0;
}

static void fill_identity(const struct otp_layout *layout, const struct image *image,
                          struct process_snapshot *snapshot)
{
    const uint64_t *initial = &image->words[layout->offset[LAYOUT_INITIAL] / 8];
    memcpy(snapshot->initial, initial, sizeof snapshot->initial);
    snapshot->pc = word(layout, image, LAYOUT_I);
    snapshot->dictionary = word(layout, image, LAYOUT_DICTIONARY);
    snapshot->heap = word(layout, image, LAYOUT_HEAP);
    snapshot->old_heap = word(layout, image, LAYOUT_OLD_HEAP);
    snapshot->parent = local_pid(layout, image, LAYOUT_PARENT);
    snapshot->group_leader = local_pid(layout, image, LAYOUT_GROUP_LEADER);
    snapshot->values[BEAM_METRIC_REDUCTIONS] = (int64_t)word(layout, image, LAYOUT_REDS);
    snapshot->values[BEAM_METRIC_MESSAGE_QUEUE_LEN] = queue_len(layout, image);
}

// What is known of the process from the first read alone.
static enum snapshot_end classify(const struct otp_layout *layout, const struct image *image,
                                  struct process_snapshot *snapshot)
{
    if (word(layout, image, LAYOUT_ID) != snapshot->id) {
        return SNAPSHOT_GONE;
    }
    uint32_t state = half(layout, image, LAYOUT_STATE);
    snapshot->state_flags = state;
    snapshot->status = process_status_of(state);
    if (snapshot->status == PROCESS_FREE) {
        return SNAPSHOT_GONE;
    }
    fill_identity(layout, image, snapshot);
    if (snapshot->status == PROCESS_EXITING || snapshot->status == PROCESS_GARBAGE_COLLECTING) {
        return SNAPSHOT_STATUS_ONLY;
    }
    if (!plausible(layout, image)) {
        return process_is_running(state) ? SNAPSHOT_STATUS_ONLY : SNAPSHOT_IMPLAUSIBLE;
    }
    snapshot->sizes_known = heap_is_in_one_place(layout, image);
    if (snapshot->sizes_known) {
        fill_sizes(layout, image, snapshot->values);
    }
    if (!process_is_running(state)) {
        return SNAPSHOT_WHOLE;
    }
    // Where it went on when it was scheduled in, long left behind; in a dirty NIF
    // it is the NIF.
    snapshot->pc = process_is_dirty(state) ? snapshot->pc : 0;
    return SNAPSHOT_PARTIAL;
}

static size_t plan_stack(const struct otp_layout *layout, const struct image *image,
                         struct process_snapshot *snapshot, struct memory_read *reads)
{
    uint64_t stop = word(layout, image, LAYOUT_STOP);
    uint64_t hend = word(layout, image, LAYOUT_HEND);
    uint64_t depth = (hend - stop) / 8;
    if (depth <= SNAPSHOT_LEAF_WORDS + SNAPSHOT_ROOT_WORDS) {
        snapshot->leaf_cnt = (uint32_t)depth;
        reads[0] = (struct memory_read){stop, snapshot->stack, (uint32_t)depth, false};
        return depth == 0 ? 0 : 1;
    }
    snapshot->leaf_cnt = SNAPSHOT_LEAF_WORDS;
    snapshot->root_cnt = SNAPSHOT_ROOT_WORDS;
    snapshot->omitted_words = depth - SNAPSHOT_LEAF_WORDS - SNAPSHOT_ROOT_WORDS;
    reads[0] = (struct memory_read){stop, snapshot->stack, SNAPSHOT_LEAF_WORDS, false};
    reads[1] =
        (struct memory_read){hend - SNAPSHOT_ROOT_WORDS * 8ULL,
                             snapshot->stack + SNAPSHOT_LEAF_WORDS, SNAPSHOT_ROOT_WORDS, false};
    return 2;
}

static size_t plan_companions(const struct otp_layout *layout, const struct image *image,
                              struct companion *companion, struct memory_read *reads)
{
    size_t cnt = 0;
    uint64_t regproc = word(layout, image, LAYOUT_REG);
    uint64_t dictionary = word(layout, image, LAYOUT_DICTIONARY);
    *companion = (struct companion){0};
    if (regproc != 0) {
        uint32_t words = (uint32_t)layout->offset[LAYOUT_REGPROC_NAME] / 8 + 1;
        reads[cnt] = (struct memory_read){regproc, companion->regproc, words, false};
        companion->regproc_read = &reads[cnt++];
    }
    if (dictionary != 0) {
        // u32 sizeMask, usedSlots, arraySize, splitPosition (erl_process_dict.h)
        reads[cnt] = (struct memory_read){dictionary + 8, &companion->dictionary_sizes, 1, false};
        companion->dictionary_read = &reads[cnt++];
    }
    return cnt;
}

enum { DICTIONARY_HEADER_BYTES = 24, MSGQ_ON_HEAP = 1 << 1 }; // FS_ON_HEAP_MSGQ

static void fill_companions(const struct otp_layout *layout, const struct image *image,
                            const struct companion *companion, struct process_snapshot *snapshot)
{
    int64_t bytes = layout->process_bytes;
    bytes += word(layout, image, LAYOUT_PSD) != 0 ? layout->psd_bytes : 0;
    if (companion->regproc_read != NULL && companion->regproc_read->ok) {
        const uint64_t *regproc = companion->regproc;
        bool ours = regproc[layout->offset[LAYOUT_REGPROC_P] / 8] == snapshot->address;
        snapshot->name = ours ? regproc[layout->offset[LAYOUT_REGPROC_NAME] / 8] : 0;
    }
    if (companion->dictionary_read != NULL && companion->dictionary_read->ok) {
        bytes += DICTIONARY_HEADER_BYTES + 8 * (int64_t)(uint32_t)companion->dictionary_sizes;
    }
    const int64_t *values = snapshot->values;
    bytes = plus(bytes, values[BEAM_METRIC_TOTAL_HEAP_SIZE], 8);
    bytes = plus(bytes, values[BEAM_METRIC_MESSAGE_QUEUE_LEN], layout->message_bytes);
    snapshot->values[BEAM_METRIC_MEMORY] = bytes;
}

// With the queue on the heap, what its messages hold counts as heap (erl_bif_info.c).
static void add_message_data(struct memory_reader *reader, const struct otp_layout *layout,
                             const struct image *image, struct process_snapshot *snapshot)
{
    if (!snapshot->sizes_known || (int64_t)word(layout, image, LAYOUT_MSGQ_LEN) <= 0) {
        return;
    }
    struct message_data data = message_data_read(reader, word(layout, image, LAYOUT_MSGQ_FIRST));
    int64_t *values = snapshot->values;
    values[BEAM_METRIC_MEMORY] = plus(values[BEAM_METRIC_MEMORY], data.words, 8);
    if ((half(layout, image, LAYOUT_MSGQ_FLAGS) & MSGQ_ON_HEAP) != 0) {
        values[BEAM_METRIC_TOTAL_HEAP_SIZE] =
            plus(values[BEAM_METRIC_TOTAL_HEAP_SIZE], data.words, 1);
        values[BEAM_METRIC_MBUF_SIZE] = plus(values[BEAM_METRIC_MBUF_SIZE], data.fragment_words, 1);
    }
}

struct batch {
    struct image before[SNAPSHOT_MAX_BATCH];
    struct image after[SNAPSHOT_MAX_BATCH];
    struct companion companions[SNAPSHOT_MAX_BATCH];
    struct memory_read reads[MEMORY_READER_MAX_BATCH];
    size_t first_stack_read[SNAPSHOT_MAX_BATCH];
    size_t stack_read_cnt[SNAPSHOT_MAX_BATCH];
};

// The slot array is never freed by the VM, so a plain load is safe. A pid that was
// made up may have no slot.
static uint64_t slot_value(const struct otp_layout *layout, uint64_t slot)
{
    const volatile uint64_t *table = (const volatile uint64_t *)(uintptr_t)layout->table_address;
    return slot < layout->slot_cnt ? table[slot] : 0;
}

static void read_structs(struct memory_reader *reader, const struct otp_layout *layout,
                         struct process_snapshot *const *snapshots, struct image *images,
                         struct memory_read *reads, size_t cnt)
{
    uint32_t words = layout->process_words;
    for (size_t i = 0; i < cnt; i++) {
        // An address of 0 (already given up) fails by itself and is not looked at again.
        reads[i] = (struct memory_read){snapshots[i]->address, images[i].words, words, false};
    }
    (void)memory_reader_batch(reader, reads, cnt);
}

static bool begin(struct process_snapshot *snapshot, const struct otp_layout *layout)
{
    snapshot->address = slot_value(layout, otp_layout_slot(layout, snapshot->id));
    snapshot->name = 0;
    snapshot->sizes_known = false;
    snapshot->leaf_cnt = 0;
    snapshot->root_cnt = 0;
    snapshot->omitted_words = 0;
    memset(snapshot->values, 0, sizeof snapshot->values);
    snapshot->end =
        snapshot->address == 0 || snapshot->address % 8 != 0 ? SNAPSHOT_GONE : SNAPSHOT_WHOLE;
    return snapshot->end == SNAPSHOT_WHOLE;
}

static bool wants_stack(const struct process_snapshot *snapshot)
{
    return snapshot->end == SNAPSHOT_WHOLE || snapshot->end == SNAPSHOT_PARTIAL;
}

static size_t plan_batch(const struct otp_layout *layout, struct batch *batch,
                         struct process_snapshot *const *live, size_t cnt)
{
    size_t read_cnt = 0;
    for (size_t i = 0; i < cnt; i++) {
        batch->first_stack_read[i] = read_cnt;
        batch->stack_read_cnt[i] = 0;
        if (wants_stack(live[i])) {
            batch->stack_read_cnt[i] =
                plan_stack(layout, &batch->before[i], live[i], &batch->reads[read_cnt]);
            read_cnt += batch->stack_read_cnt[i];
            read_cnt += plan_companions(layout, &batch->before[i], &batch->companions[i],
                                        &batch->reads[read_cnt]);
        }
    }
    return read_cnt;
}

static bool stack_was_read(const struct batch *batch, size_t i)
{
    for (size_t k = 0; k < batch->stack_read_cnt[i]; k++) {
        if (!batch->reads[batch->first_stack_read[i] + k].ok) {
            return false;
        }
    }
    return true;
}

// Second look: is what was read still what is there?
static enum snapshot_end verdict(const struct otp_layout *layout, const struct batch *batch,
                                 size_t i, enum snapshot_end end, bool stack_ok, bool after_ok)
{
    if (!after_ok || !stack_ok) {
        return SNAPSHOT_UNREADABLE;
    }
    bool same = end == SNAPSHOT_WHOLE
                    ? unchanged(layout, &batch->before[i], &batch->after[i])
                    : same_stack_area(layout, &batch->before[i], &batch->after[i]);
    return same ? end : SNAPSHOT_CHANGED;
}

static void finish_batch(struct memory_reader *reader, const struct otp_layout *layout,
                         struct batch *batch, struct process_snapshot *const *live, size_t cnt)
{
    bool stack_ok[SNAPSHOT_MAX_BATCH];
    for (size_t i = 0; i < cnt; i++) {
        stack_ok[i] = stack_was_read(batch, i);
        if (wants_stack(live[i])) {
            fill_companions(layout, &batch->before[i], &batch->companions[i], live[i]);
            add_message_data(reader, layout, &batch->before[i], live[i]);
        }
    }
    struct memory_read again[SNAPSHOT_MAX_BATCH];
    read_structs(reader, layout, live, batch->after, again, cnt);
    for (size_t i = 0; i < cnt; i++) {
        if (wants_stack(live[i])) {
            live[i]->end = verdict(layout, batch, i, live[i]->end, stack_ok[i], again[i].ok);
        }
    }
}

static void take_together(struct memory_reader *reader, const struct otp_layout *layout,
                          struct process_snapshot *const *snapshots, size_t cnt)
{
    struct batch batch;
    struct process_snapshot *live[SNAPSHOT_MAX_BATCH] = {0};
    size_t live_cnt = 0;
    for (size_t i = 0; i < cnt; i++) {
        if (begin(snapshots[i], layout)) {
            live[live_cnt++] = snapshots[i];
        }
    }
    read_structs(reader, layout, live, batch.before, batch.reads, live_cnt);
    for (size_t i = 0; i < live_cnt; i++) {
        live[i]->end =
            batch.reads[i].ok ? classify(layout, &batch.before[i], live[i]) : SNAPSHOT_UNREADABLE;
    }
    size_t read_cnt = plan_batch(layout, &batch, live, live_cnt);
    (void)memory_reader_batch(reader, batch.reads, read_cnt);
    finish_batch(reader, layout, &batch, live, live_cnt);
}

// ---- prefetching ----------------------------------------------------------------

enum { CACHE_LINE_BYTES = 64, STACK_LINES = 3 };

static void prefetch(uint64_t address, uint32_t bytes)
{
    for (uint32_t at = 0; at < bytes; at += CACHE_LINE_BYTES) {
        __builtin_prefetch((const void *)(uintptr_t)(address + at));
    }
}

// A prefetch of a dead address does nothing: it cannot fault.
static void prefetch_structs(const struct otp_layout *layout,
                             struct process_snapshot *const *snapshots, size_t cnt)
{
    for (size_t i = 0; i < cnt; i++) {
        prefetch(layout->table_address + 8 * otp_layout_slot(layout, snapshots[i]->id), 8);
    }
    uint32_t bytes = 8 * layout->process_words;
    for (size_t i = 0; i < cnt; i++) {
        prefetch(slot_value(layout, otp_layout_slot(layout, snapshots[i]->id)), bytes);
    }
}

static void prefetch_stack(const struct otp_layout *layout, uint64_t id)
{
    uint64_t address = slot_value(layout, otp_layout_slot(layout, id));
    uint64_t stop = 0;
    if (address != 0 &&
        guarded_read_words(&stop, address + (uint64_t)layout->offset[LAYOUT_STOP], 1)) {
        prefetch(stop, STACK_LINES * CACHE_LINE_BYTES);
    }
}

// Loads are taken one process at a time, to keep the time between a read and its
// check short; what comes next is on its way into the cache meanwhile.
static void take_in_turn(struct memory_reader *reader, const struct otp_layout *layout,
                         struct process_snapshot *const *snapshots, size_t cnt)
{
    prefetch_structs(layout, snapshots, cnt);
    for (size_t i = 0; i < cnt; i++) {
        if (i + 1 < cnt) {
            prefetch_stack(layout, snapshots[i + 1]->id);
        }
        take_together(reader, layout, &snapshots[i], 1);
    }
}

void process_snapshot_batch(struct memory_reader *reader, const struct otp_layout *layout,
                            struct process_snapshot *const *snapshots, size_t cnt)
{
    if (reader->kind == READER_GUARDED_LOAD) {
        take_in_turn(reader, layout, snapshots, cnt);
    } else {
        take_together(reader, layout, snapshots, cnt);
    }
}

void process_snapshot_from_image(const struct otp_layout *layout, const uint64_t *words,
                                 uint32_t word_cnt, struct process_snapshot *snapshot)
{
    struct image image = {{0}};
    struct companion none = {0};
    memcpy(image.words, words, (word_cnt < PROCESS_WORDS ? word_cnt : PROCESS_WORDS) * 8UL);
    memset(snapshot, 0, offsetof(struct process_snapshot, stack));
    snapshot->id = word(layout, &image, LAYOUT_ID);
    snapshot->end = classify(layout, &image, snapshot);
    if (snapshot->sizes_known) {
        fill_companions(layout, &image, &none, snapshot);
    }
}
