// SPDX-License-Identifier: Apache-2.0
#include "record/system/frame_cache.h"

#include "sinks/perf_script_sink.h"
#include "test.h"

static struct frame_place place;

static struct frame frame_of(uint64_t address, const char *name)
{
    return (struct frame){.address = address, .name = text_of(name), .file = TEXT("file")};
}

static bool find(struct frame_cache *cache, struct frame_key key, uint64_t now_ns)
{
    return frame_cache_find(cache, frame_cache_begin(cache, &key), &key, now_ns, &place);
}

static void put(struct frame_cache *cache, struct frame_key key, uint64_t expires_ns,
                const struct frame *frames, uint32_t cnt)
{
    struct frame_place given = {.frames = frames, .frame_cnt = cnt, .is_named = true};
    frame_cache_put(cache, &key, expires_ns, &given);
}

TEST(a_place_is_found_by_owner_address_and_whether_it_is_a_return)
{
    struct frame_cache *cache = frame_cache_create(1 << 20, NULL);
    char name[] = "main";
    struct frame frame = frame_of(16, name);
    put(cache, (struct frame_key){1, 16, true}, FRAME_CACHE_FOREVER, &frame, 1);
    name[0] = '?'; // it was copied
    CHECK(find(cache, (struct frame_key){1, 16, true}, 100));
    CHECK_UINT(place.frame_cnt, 1);
    CHECK(place.is_named);
    CHECK(text_equal(place.frames[0].name, TEXT("main")));
    CHECK_UINT(place.frames[0].shown.len, 0);
    CHECK(!find(cache, (struct frame_key){2, 16, true}, 100));
    CHECK(!find(cache, (struct frame_key){1, 17, true}, 100));
    CHECK(!find(cache, (struct frame_key){1, 16, false}, 100));
    frame_cache_destroy(cache);
    frame_cache_destroy(NULL);
}

TEST(what_expires_is_forgotten_and_can_be_put_again)
{
    struct frame_cache *cache = frame_cache_create(1 << 20, NULL);
    struct frame_key key = {1, 16, false};
    struct frame frame = frame_of(16, "before");
    put(cache, key, 50, &frame, 1);
    CHECK(find(cache, key, 49));
    CHECK(!find(cache, key, 50));
    frame = frame_of(16, "after");
    put(cache, key, 90, &frame, 1);
    CHECK(find(cache, key, 60));
    CHECK(text_equal(place.frames[0].name, TEXT("after")));
    frame_cache_destroy(cache);
}

TEST(a_frame_gets_its_form_in_the_sink)
{
    struct frame_cache *cache = frame_cache_create(1 << 20, &PERF_SCRIPT_SINK);
    struct frame_key key = {1, 31, false};
    struct frame frame = frame_of(31, "lists:++/2");
    put(cache, key, FRAME_CACHE_FOREVER, &frame, 1);
    CHECK(find(cache, key, 1));
    CHECK(text_equal(place.frames[0].shown, TEXT("\t1f lists:＋＋/2 (file)\n")));
    frame_cache_destroy(cache);
}

TEST(what_is_known_of_one_key_can_be_shared)
{
    struct frame_cache *cache = frame_cache_create(1 << 20, &PERF_SCRIPT_SINK);
    struct frame_key in_file = {7, 15, false};
    struct frame_key key = {1, 31, true};
    struct frame frame = frame_of(15, "main");
    CHECK(!frame_cache_share(cache, &in_file, &key, TEXT("file"), &place));
    put(cache, in_file, FRAME_CACHE_FOREVER, &frame, 1);
    CHECK(!frame_cache_share(cache, &in_file, &key, TEXT("another"), &place));
    CHECK(!find(cache, key, 1));
    CHECK(frame_cache_share(cache, &in_file, &key, TEXT("file"), &place));
    CHECK_UINT(place.frames[0].address, 31);
    CHECK(find(cache, key, 1));
    CHECK(place.is_named);
    CHECK_UINT(place.frames[0].address, 31);
    CHECK(text_equal(place.frames[0].shown, TEXT("\t1f main (file)\n")));
    CHECK(find(cache, in_file, 1));
    CHECK_UINT(place.frames[0].address, 15);
    frame_cache_destroy(cache);
}

TEST(only_single_frames_that_stay_are_shared)
{
    struct frame_cache *cache = frame_cache_create(1 << 20, NULL);
    struct frame_key several = {1, 16, false};
    struct frame_key short_lived = {1, 32, false};
    struct frame_key key = {2, 16, false};
    const struct frame frames[] = {frame_of(16, "inner"), frame_of(16, "outer")};
    put(cache, several, FRAME_CACHE_FOREVER, frames, 2);
    put(cache, short_lived, 50, frames, 1);
    CHECK(!frame_cache_share(cache, &several, &key, TEXT("file"), &place));
    CHECK(!frame_cache_share(cache, &short_lived, &key, TEXT("file"), &place));
    CHECK(!find(cache, key, 1));
    frame_cache_destroy(cache);
}

TEST(inlined_frames_stay_together)
{
    struct frame_cache *cache = frame_cache_create(1 << 20, NULL);
    struct frame_key key = {1, 16, false};
    const struct frame frames[] = {frame_of(16, "inner"), frame_of(16, "outer")};
    put(cache, key, FRAME_CACHE_FOREVER, frames, 2);
    CHECK(find(cache, key, 1));
    CHECK_UINT(place.frame_cnt, 2);
    CHECK(text_equal(place.frames[0].name, TEXT("inner")));
    CHECK(text_equal(place.frames[1].name, TEXT("outer")));
    frame_cache_destroy(cache);
}

TEST(when_full_it_begins_anew_between_two_samples)
{
    struct frame_cache *cache = frame_cache_create(1 << 20, NULL);
    const uint64_t many = 100000;
    for (uint64_t i = 0; i < many; i++) {
        struct frame frame = frame_of(i, "f");
        frame_cache_trim(cache);
        put(cache, (struct frame_key){1, i, false}, FRAME_CACHE_FOREVER, &frame, 1);
        CHECK(find(cache, (struct frame_key){1, i, false}, 1));
        CHECK_UINT(place.frames[0].address, i);
    }
    CHECK(!find(cache, (struct frame_key){1, 0, false}, 1));
    CHECK(frame_cache_memory_bytes(cache) < (8 << 20));
    frame_cache_destroy(cache);
}

TEST(texts_stay_until_it_begins_anew)
{
    struct frame_cache *cache = frame_cache_create(1 << 20, NULL);
    struct frame_key keys[] = {{1, 16, false}, {1, 32, false}};
    const struct frame frames[] = {frame_of(16, "inner"), frame_of(16, "outer")};
    put(cache, keys[0], FRAME_CACHE_FOREVER, frames, 1);
    put(cache, keys[1], FRAME_CACHE_FOREVER, frames, 2);
    CHECK(find(cache, keys[0], 1));
    uint32_t texts = place.frames[0].texts;
    CHECK(texts > 0);
    CHECK(find(cache, keys[1], 1));
    CHECK_UINT(place.frames[1].texts, texts);
    frame_cache_clear(cache);
    put(cache, keys[0], FRAME_CACHE_FOREVER, frames, 1);
    CHECK(find(cache, keys[0], 1));
    CHECK(place.frames[0].texts > texts);
    frame_cache_destroy(cache);
}

TEST(more_than_fits_is_not_kept_and_hurts_nobody)
{
    struct frame_cache *cache = frame_cache_create(64, NULL);
    struct frame big = frame_of(1, "a_name_of_more_than_half_of_what_there_is");
    struct frame other = frame_of(2, "another_name_of_more_than_half_of_it");
    put(cache, (struct frame_key){1, 1, false}, FRAME_CACHE_FOREVER, &big, 1);
    put(cache, (struct frame_key){1, 2, false}, FRAME_CACHE_FOREVER, &other, 1);
    CHECK(find(cache, (struct frame_key){1, 1, false}, 1));
    CHECK(!find(cache, (struct frame_key){1, 2, false}, 1));
    frame_cache_trim(cache);
    CHECK(!find(cache, (struct frame_key){1, 1, false}, 1));
    for (uint64_t i = 0; i < 70000; i++) { // all in one sample
        struct frame frame = frame_of(i, "f");
        put(cache, (struct frame_key){1, i, false}, FRAME_CACHE_FOREVER, &frame, 1);
    }
    CHECK(find(cache, (struct frame_key){1, 0, false}, 1));
    CHECK(!find(cache, (struct frame_key){1, 69999, false}, 1));
    put(cache, (struct frame_key){1, 69999, false}, FRAME_CACHE_FOREVER, &big, 0);
    CHECK(!find(cache, (struct frame_key){1, 69999, false}, 1));
    frame_cache_destroy(cache);
}
