// SPDX-License-Identifier: Apache-2.0
// Terms out of a foreign heap and into text: whole, cut, and whatever else may be there.
#include "capture/beam/term_copy.h"

#include "child_process.h"
#include "fake_vm.h"
#include "record/beam/term_text.h"

static struct fake_vm vm;
static struct memory_reader reader;
static uint64_t words[64];
static uint32_t word_cnt;
static char text[256];
static bool in_bits;

static size_t atom_text(void *context, uint64_t term, char *to, size_t bytes)
{
    (void)context;
    return term == fake_atom(99) ? 0 : (size_t)snprintf(to, bytes, "a%u", (unsigned)(term >> 6));
}

static size_t pid_text(void *context, uint64_t term, char *to, size_t bytes)
{
    (void)context;
    return (size_t)snprintf(to, bytes, "<0.%u.0>", (unsigned)otp_layout_slot(&vm.layout, term));
}

static const char *text_in(uint64_t term, uint32_t max_cnt)
{
    const struct term_texts texts = {NULL, atom_text, NULL, pid_text};
    struct word_reader reads = memory_reader_word_reader(&reader);
    word_cnt = term_copy(&reads, in_bits, term, words, max_cnt);
    CHECK(word_cnt > 0 && word_cnt <= max_cnt);
    size_t len = term_text(&texts, words, word_cnt, text, sizeof text - 1);
    CHECK(len < sizeof text);
    text[len] = '\0';
    return text;
}

static const char *text_of_term(uint64_t term)
{
    return text_in(term, 16);
}

static void begin(void)
{
    fake_vm_init(&vm, "27", 1024);
    fake_open_reader(&reader, READER_GUARDED_LOAD);
}

static void end(void)
{
    memory_reader_close(&reader);
    fake_vm_deinit(&vm);
}

static uint64_t string(const char *letters)
{
    uint64_t list = FAKE_NIL;
    for (size_t i = strlen(letters); i > 0; i--) {
        list = fake_cons(&vm, fake_small((unsigned char)letters[i - 1]), list);
    }
    return list;
}

static uint64_t binary_on_heap(const char *bytes)
{
    uint64_t len = strlen(bytes);
    uint64_t data_words = (len + 7) / 8;
    uint64_t *boxed = fake_alloc(&vm, 16 + 8 * data_words);
    boxed[0] = (1 + data_words) << 6 | (in_bits ? 0x20 : 0x24);
    boxed[1] = in_bits ? 8 * len : len;
    memcpy(boxed + 2, bytes, len);
    return fake_address(boxed) | 2;
}

// Its bytes are elsewhere; of a part of a binary some more come before.
static uint64_t binary_elsewhere(const char *bytes)
{
    uint64_t len = strlen(bytes);
    char *data = fake_alloc(&vm, len + 16);
    uint64_t *boxed = fake_alloc(&vm, 48);
    memcpy(data + 8, bytes, len);
    boxed[0] = in_bits ? 4 << 6 | 0x24 : 5 << 6 | 0x20;
    boxed[1] = in_bits ? fake_address(data) | 2 : len;
    boxed[2] = in_bits ? 64 : 0;
    boxed[3] = in_bits ? 64 + 8 * len : 0;
    boxed[4] = fake_address(data) + 8;
    return fake_address(boxed) | 2;
}

static uint64_t pair(uint64_t a, uint64_t b)
{
    return fake_tuple(&vm, 2, (const uint64_t[]){a, b});
}

TEST(terms_read_as_one_would_write_them)
{
    begin();
    CHECK_STR(text_of_term(fake_atom(5)), "a5");
    CHECK_STR(text_of_term(fake_small(42)), "42");
    CHECK_STR(text_of_term((uint64_t)-3 << 4 | 15), "-3");
    CHECK_STR(text_of_term(FAKE_NIL), "[]");
    CHECK_STR(text_of_term(fake_pid(&vm, 7, 1)), "<0.7.0>");
    CHECK_STR(text_of_term(fake_tuple(&vm, 0, NULL)), "{}");
    CHECK_STR(text_of_term(pair(fake_atom(1), fake_small(2))), "{a1,2}");
    CHECK_STR(text_of_term(pair(fake_atom(1), pair(fake_atom(2), FAKE_NIL))), "{a1,{a2,[]}}");
    CHECK_STR(text_of_term(string("shop 7")), "shop 7");
    CHECK_STR(text_of_term(pair(fake_atom(1), string("ab"))), "{a1,\"ab\"}");
    CHECK_STR(text_of_term(fake_cons(&vm, fake_small(1), fake_cons(&vm, fake_atom(2), FAKE_NIL))),
              "[1,a2]");
    end();
}

TEST(binaries_read_as_each_release_has_them)
{
    static const char *const TEXTS[] = {"x", "seven..", "eightyes", "nine bytes",
                                        "worker of shop 12"};
    begin();
    for (int release = 0; release < 2; release++) {
        in_bits = release == 1;
        for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
            CHECK_STR(text_of_term(binary_on_heap(TEXTS[i])), TEXTS[i]);
            CHECK_STR(text_of_term(binary_elsewhere(TEXTS[i])), TEXTS[i]);
        }
        CHECK_STR(text_of_term(pair(fake_atom(1), binary_on_heap("x"))), "{a1,\"x\"}");
        char large[200];
        memset(large, 'l', sizeof large);
        large[65] = '\0';
        CHECK_STR(text_of_term(binary_on_heap(large)), "..");
        CHECK_STR(text_of_term(binary_elsewhere(large)), "..");
        CHECK_STR(text_of_term(binary_on_heap("")), "..");
    }
    uint64_t odd = binary_on_heap("odd");
    ((uint64_t *)(uintptr_t)(odd - 2))[1] = 23; // bits
    CHECK_STR(text_of_term(odd), "..");
    end();
}

TEST(what_is_too_large_is_cut)
{
    begin();
    CHECK_STR(text_of_term(string("abcdefghijklmnopqrstuvwxyz")), "abcdefghijklmn..");
    CHECK_STR(text_of_term(fake_tuple(&vm, 17, words)), "..");
    CHECK_STR(text_in(pair(fake_atom(1), pair(fake_atom(2), fake_atom(3))), 4), "{a1,..}");
    CHECK_STR(text_in(pair(pair(fake_atom(1), fake_atom(2)), fake_atom(3)), 4), "{..,a3}");
    CHECK_STR(text_in(pair(fake_atom(1), fake_atom(2)), 2), "..");
    uint64_t deep = fake_atom(1);
    for (int i = 0; i < 10; i++) {
        deep = pair(deep, fake_small(1));
    }
    CHECK_STR(text_of_term(deep), "{{{..,1},1},1}");
    end();
}

TEST(what_has_no_text_is_told)
{
    const uint64_t headers[] = {0x18, 0x28, 0x3C, 0x0C, 1 << 6 | 0x24};
    begin();
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        uint64_t *boxed = fake_alloc(&vm, 64);
        boxed[0] = headers[i];
        CHECK_STR(text_of_term(fake_address(boxed) | 2), "..");
    }
    CHECK_STR(text_of_term(0), "..");
    CHECK_STR(text_of_term(0x1002), "..");
    CHECK_STR(text_of_term(pair(fake_atom(1), fake_atom(99))), ""); // an atom too new
    uint64_t round_trip = fake_cons(&vm, fake_small(1), FAKE_NIL);
    ((uint64_t *)(uintptr_t)(round_trip - 1))[1] = round_trip;
    CHECK_STR(text_of_term(round_trip), "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,..]");
    CHECK_STR(text_of_term(fake_cons(&vm, fake_atom(1), fake_atom(2))), "[a1,..]"); // improper
    end();
}

TEST(any_words_are_survived)
{
    const struct term_texts texts = {NULL, atom_text, NULL, pid_text};
    uint64_t random = 5;
    begin();
    uint64_t *area = fake_alloc(&vm, 1024 * 8);
    for (int round = 0; round < 20000; round++) {
        for (int i = 0; i < 32; i++) {
            random = random * 6364136223846793005ULL + 1442695040888963407ULL;
            uint64_t inside = fake_address(area) + (random >> 33) % (1000 * 8);
            area[(random >> 20) % 1024] =
                (random & 8) != 0 ? inside : (random >> 58) << 6 | (random >> 50 & 0x24);
            words[i] = (random & 16) != 0 ? random >> 40 : random;
        }
        (void)text_in((random & ~3ULL) | (random >> 40 & 3), 16);
        uint64_t place = (fake_address(area) + (random >> 30) % 8000) & ~7ULL;
        in_bits = round % 2 == 0;
        (void)text_in(place | 1 | (random >> 60 & 3), 16);
        for (int i = 0; i < 16; i++) {
            words[i] = area[i + (int)(random >> 55)];
        }
        CHECK(term_text(&texts, words, 16, text, 64) <= 64);
    }
    end();
}
