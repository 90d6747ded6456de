// SPDX-License-Identifier: Apache-2.0
// Names of code addresses, through loading, purging, replacing and lying files.
#include "symbols/beam/code_map.h"

#include "base/string_table.h"
#include "fake_code.h"

enum { CODE_BYTES = 0x1000 };
#define BASE 0x7F0000000000ULL

static struct code_map *map;
static struct fake_symfile file;
static struct code_location found;

static void open_map(size_t max_bytes)
{
    map = code_map_create(max_bytes);
    CHECK(map != NULL);
}

static void close_map(void)
{
    code_map_destroy(map);
    map = NULL;
}

// Two functions; the name of the first says which module it is.
static void make_module(uint64_t base, const char *name)
{
    char function[64];
    fake_symfile_begin(&file, base, CODE_BYTES, name);
    snprintf(function, sizeof function, "%s:first/0", name);
    fake_symfile_range(&file, 0x40, 0x80, function, 2);
    fake_symfile_line(&file, 0x50, 10, "m.erl");
    fake_symfile_line(&file, 0x60, 20, "m.erl");
    snprintf(function, sizeof function, "%s:second/1", name);
    fake_symfile_range(&file, 0x80, CODE_BYTES, function, 0);
}

static struct code_key key_of(uint64_t number)
{
    return (struct code_key){0x10000 + number * 32, 0x900000 + number * 4096, file.len};
}

static bool add_module(uint64_t number, uint64_t base, const char *name)
{
    make_module(base, name);
    struct code_key key = key_of(number);
    return !code_map_has(map, &key) && code_map_add(map, &key, file.bytes);
}

// What the VM lists, newest first, ended by NULL.
struct listed {
    uint64_t number;
    uint64_t base;
    const char *name;
};

static unsigned refresh(uint32_t generation, const struct listed *list)
{
    uint64_t before = code_map_read_cnt(map);
    code_map_begin(map, generation);
    for (; list->name != NULL; list++) {
        make_module(list->base, list->name);
        struct code_key key = key_of(list->number);
        if (!code_map_has(map, &key)) {
            (void)code_map_add(map, &key, file.bytes);
        }
    }
    code_map_end(map);
    return (unsigned)(code_map_read_cnt(map) - before);
}

static void load_one(uint64_t base, const char *name)
{
    const struct listed list[] = {{1, base, name}, {0}};
    CHECK_UINT(refresh(0, list), 1);
}

static const char *name_at(uint64_t address, uint32_t generation)
{
    static char name[256];
    if (!code_map_find(map, address, generation, &found)) {
        return "nothing";
    }
    snprintf(name, sizeof name, "%.*s", (int)found.name.len, found.name.bytes);
    return name;
}

// ---- one module --------------------------------------------------------------------

TEST(addresses_have_function_line_and_file)
{
    open_map(1 << 20);
    load_one(BASE, "m");
    CHECK_STR(name_at(BASE + 0x40, 0), "m:first/0");
    CHECK_UINT(found.line, 0);                    // in front of the first line
    CHECK(text_equal(found.file, TEXT("m.erl"))); // the module's, as no line says better
    CHECK_UINT(found.function_start, BASE + 0x40);
    CHECK_STR(name_at(BASE + 0x5F, 0), "m:first/0");
    CHECK_UINT(found.line, 10);
    CHECK(text_equal(found.file, TEXT("m.erl")));
    CHECK_STR(name_at(BASE + 0x60, 0), "m:first/0");
    CHECK_UINT(found.line, 20);
    CHECK_STR(name_at(BASE + 0x7F, 0), "m:first/0");
    CHECK_UINT(found.line, 20);
    CHECK_STR(name_at(BASE + 0x80, 0), "m:second/1");
    CHECK_UINT(found.line, 0);
    CHECK_STR(name_at(BASE + CODE_BYTES - 1, 0), "m:second/1");
    CHECK(!found.is_stub);
    close_map();
}

TEST(a_file_can_be_read_later)
{
    struct code_key wanted;
    open_map(1 << 20);
    make_module(BASE, "m");
    struct code_key key = key_of(1);
    code_map_begin(map, 0);
    CHECK(!code_map_add_unread(map, &key, file.bytes, 20)); // not all of its head
    CHECK(code_map_add_unread(map, &key, file.bytes, 64));
    code_map_end(map);
    CHECK_UINT(code_map_module_cnt(map), 1);
    CHECK(!code_map_is_read(map, &key));
    CHECK(code_map_covers(map, BASE + 0x40));
    CHECK_STR(name_at(BASE + 0x40, 0), "nothing");
    CHECK(!code_map_unread(map, BASE - 1, &wanted));
    CHECK(code_map_unread(map, BASE + 0x40, &wanted));
    CHECK(code_key_equal(&wanted, &key));
    make_module(BASE + 0x10, "m");
    CHECK(!code_map_read(map, BASE + 0x40, file.bytes)); // another one
    CHECK_UINT(code_map_refused_cnt(map), 1);
    make_module(BASE, "m");
    CHECK(code_map_read(map, BASE + 0x40, file.bytes));
    CHECK_STR(name_at(BASE + 0x40, 0), "m:first/0");
    CHECK(!code_map_unread(map, BASE + 0x40, &wanted));
    CHECK(code_map_is_read(map, &key));
    const struct listed same[] = {{1, BASE, "m"}, {0}};
    CHECK_UINT(refresh(1, same), 0); // met again, by its content
    CHECK_STR(name_at(BASE + 0x80, 1), "m:second/1");
    close_map();
}

// Also of an address and a generation that were asked for before.
TEST(what_was_found_is_forgotten_when_code_changes)
{
    open_map(1 << 20);
    load_one(BASE, "old");
    CHECK_STR(name_at(BASE + 0x40, 0), "old:first/0");
    CHECK_STR(name_at(BASE + 0x40, 0), "old:first/0");
    const struct listed list[] = {{2, BASE, "new"}, {0}};
    CHECK_UINT(refresh(0, list), 1);
    CHECK_STR(name_at(BASE + 0x40, 0), "new:first/0");
    close_map();
}

TEST(bounds_are_kept)
{
    open_map(1 << 20);
    CHECK_STR(name_at(BASE, 0), "nothing");
    CHECK(!code_map_covers(map, BASE));
    load_one(BASE, "m");
    static const uint64_t OUTSIDE[] = {
        0, 1, BASE - 1, BASE, BASE + 0x3F, BASE + CODE_BYTES, UINT64_MAX, 1ULL << 63};
    for (size_t i = 0; i < sizeof OUTSIDE / sizeof OUTSIDE[0]; i++) {
        CHECK_STR(name_at(OUTSIDE[i], 0), "nothing");
    }
    CHECK(code_map_covers(map, BASE));
    CHECK(code_map_covers(map, BASE + CODE_BYTES - 1));
    CHECK(!code_map_covers(map, BASE - 1));
    CHECK(!code_map_covers(map, BASE + CODE_BYTES));
    close_map();
}

TEST(functions_may_come_in_any_order)
{
    open_map(1 << 20);
    fake_symfile_begin(&file, BASE, CODE_BYTES, "m");
    for (uint32_t i = 0; i < 50; i++) {
        char name[32];
        uint32_t place = i * 37 % 50;
        snprintf(name, sizeof name, "m:f%u/0", place);
        fake_symfile_range(&file, place * 16, place * 16 + 16, name, 0);
    }
    struct code_key key = key_of(1);
    code_map_begin(map, 0);
    CHECK(code_map_add(map, &key, file.bytes));
    code_map_end(map);
    for (uint32_t i = 0; i < 50; i++) {
        char name[32];
        snprintf(name, sizeof name, "m:f%u/0", i);
        CHECK_STR(name_at(BASE + i * 16, 0), name);
        CHECK_STR(name_at(BASE + i * 16 + 15, 0), name);
    }
    close_map();
}

TEST(elixir_reads_as_elixir_and_stubs_are_told)
{
    static const struct {
        const char *name;
        const char *shown;
        bool is_stub;
    } CASES[] = {
        {"Elixir.My.Mod:run/0", "My.Mod.run/0", false},
        {"Elixir.", "Elixir.", false},
        {"Elixirs:f/0", "Elixirs:f/0", false},
        {"global::call_bif", "global::call_bif", true},
        {"erts_beamasm:normal_exit", "erts_beamasm:normal_exit", true},
        {"globals:f/1", "globals:f/1", false},
    };
    open_map(1 << 20);
    fake_symfile_begin(&file, BASE, CODE_BYTES, "m");
    for (uint32_t i = 0; i < 6; i++) {
        fake_symfile_range(&file, i * 16, i * 16 + 16, CASES[i].name, 0);
    }
    struct code_key key = key_of(1);
    code_map_begin(map, 0);
    CHECK(code_map_add(map, &key, file.bytes));
    code_map_end(map);
    for (uint32_t i = 0; i < 6; i++) {
        CHECK_STR(name_at(BASE + i * 16, 0), CASES[i].shown);
        CHECK_INT(found.is_stub, CASES[i].is_stub);
    }
    close_map();
}

// ---- loading, purging, replacing -----------------------------------------------------

TEST(many_modules_are_told_apart)
{
    static struct listed list[400];
    static char names[399][16];
    for (unsigned i = 0; i < 399; i++) {
        unsigned place = i * 101 % 399;
        snprintf(names[i], sizeof names[i], "m%u", place);
        list[i] = (struct listed){i, BASE + place * 2ULL * CODE_BYTES, names[i]};
    }
    open_map(16 << 20);
    CHECK_UINT(refresh(0, list), 399);
    CHECK_UINT(code_map_module_cnt(map), 399);
    for (unsigned place = 0; place < 399; place++) {
        char name[32];
        uint64_t base = BASE + place * 2ULL * CODE_BYTES;
        snprintf(name, sizeof name, "m%u:second/1", place);
        CHECK_STR(name_at(base + 0x100, 0), name);
        CHECK_STR(name_at(base + CODE_BYTES, 0), "nothing");
    }
    CHECK_UINT(refresh(1, list), 0); // nothing is read again
    CHECK_UINT(code_map_module_cnt(map), 399);
    close_map();
}

TEST(purged_code_is_known_for_samples_taken_before)
{
    const struct listed both[] = {{2, BASE + 0x10000, "b"}, {1, BASE, "a"}, {0}};
    const struct listed one[] = {{2, BASE + 0x10000, "b"}, {0}};
    open_map(1 << 20);
    refresh(0, both);
    CHECK_UINT(refresh(5, one), 0);
    CHECK_UINT(code_map_module_cnt(map), 1);
    CHECK_STR(name_at(BASE + 0x40, 0), "a:first/0");
    CHECK_STR(name_at(BASE + 0x40, 5), "a:first/0"); // taken while it went
    CHECK_STR(name_at(BASE + 0x40, 6), "nothing");
    CHECK_STR(name_at(BASE + 0x10040, 6), "b:first/0");
    CHECK(code_map_covers(map, BASE + 0x40)); // where code was
    close_map();
}

TEST(replaced_code_is_told_by_generation)
{
    const struct listed old[] = {{1, BASE, "old"}, {0}};
    const struct listed new[] = {{2, BASE, "new"}, {0}};
    open_map(1 << 20);
    refresh(0, old);
    refresh(3, new);
    CHECK_STR(name_at(BASE + 0x40, 0), "old:first/0");
    CHECK_STR(name_at(BASE + 0x40, 2), "old:first/0");
    CHECK_STR(name_at(BASE + 0x40, 3), "new:first/0");
    CHECK_STR(name_at(BASE + 0x40, 9), "new:first/0");
    close_map();
}

// OTP 25: what was purged stays in the list, behind what lies there now.
TEST(of_two_in_one_place_the_newer_counts)
{
    const struct listed list[] = {
        {4, BASE + 0x800, "newest"}, {3, BASE, "newer"}, {2, BASE, "older"}, {0}};
    open_map(1 << 20);
    refresh(0, list);
    CHECK_STR(name_at(BASE + 0x840, 0), "newest:first/0");
    CHECK_UINT(code_map_module_cnt(map), 1); // overlapping a part is enough
    for (uint32_t generation = 1; generation < 5; generation++) {
        CHECK(refresh(generation, list) <= 2); // what was replaced is looked at again
        CHECK_STR(name_at(BASE + 0x840, generation), "newest:first/0");
        CHECK_UINT(code_map_module_cnt(map), 1);
    }
    const struct listed reloaded[] = {{5, BASE, "reloaded"},
                                      {4, BASE + 0x800, "newest"},
                                      {3, BASE, "newer"},
                                      {2, BASE, "older"},
                                      {0}};
    CHECK(refresh(6, reloaded) <= 3);
    CHECK_STR(name_at(BASE + 0x40, 6), "reloaded:first/0");
    CHECK_STR(name_at(BASE + 0x840, 5), "newest:first/0");
    close_map();
}

// OTP 27 frees what it purges: the next module may get its entry, file and place.
TEST(other_code_under_an_old_key_is_read)
{
    const struct listed a[] = {{1, BASE, "a"}, {0}};
    const struct listed b[] = {{1, BASE, "b"}, {0}};
    const struct listed none[] = {{2, BASE + 0x10000, "c"}, {0}};
    open_map(1 << 20);
    refresh(0, a);
    CHECK_UINT(refresh(1, b), 1); // seen neither leaving nor coming
    CHECK_STR(name_at(BASE + 0x40, 0), "a:first/0");
    CHECK_STR(name_at(BASE + 0x40, 1), "b:first/0");
    refresh(2, none);
    refresh(3, a); // the very first again
    CHECK_STR(name_at(BASE + 0x40, 1), "b:first/0");
    CHECK_STR(name_at(BASE + 0x40, 3), "a:first/0");
    CHECK_UINT(code_map_module_cnt(map), 1);
    close_map();
}

// Behind what has surely stayed nothing can be new: it is not even copied.
TEST(behind_unchanged_code_nothing_is_compared)
{
    static struct listed list[41];
    for (unsigned i = 0; i < 40; i++) {
        list[i] = (struct listed){i, BASE + i * 2ULL * CODE_BYTES, "m"};
    }
    open_map(1 << 20);
    refresh(0, list);
    unsigned compared = 0;
    code_map_begin(map, 1);
    for (unsigned i = 0; i < 40; i++) {
        compared += add_module(i, list[i].base, "m");
    }
    code_map_end(map);
    CHECK_UINT(compared, 16);
    CHECK_UINT(code_map_module_cnt(map), 40);
    close_map();
}

TEST(an_unfinished_refresh_is_forgotten)
{
    open_map(1 << 20);
    load_one(BASE, "m");
    code_map_begin(map, 1);
    CHECK(add_module(7, BASE + 0x20000, "lost"));
    code_map_begin(map, 1); // the walk began again
    CHECK(add_module(1, BASE, "m"));
    CHECK(add_module(8, BASE + 0x30000, "kept"));
    code_map_end(map);
    CHECK_UINT(code_map_module_cnt(map), 2);
    CHECK_STR(name_at(BASE + 0x20040, 1), "nothing");
    CHECK_STR(name_at(BASE + 0x30040, 1), "kept:first/0");
    CHECK_STR(name_at(BASE + 0x40, 1), "m:first/0");
    code_map_begin(map, 2);
    CHECK(add_module(9, BASE + 0x40000, "never"));
    close_map(); // nor is it leaked
}

TEST(a_key_in_part_equal_is_another)
{
    static struct listed list[41];
    for (unsigned i = 0; i < 40; i++) {
        list[i] = (struct listed){i, BASE + i * 2ULL * CODE_BYTES, "m"};
    }
    open_map(1 << 20);
    refresh(0, list);
    code_map_begin(map, 1);
    for (unsigned i = 0; i < 39; i++) {
        (void)add_module(i, list[i].base, "m");
    }
    struct code_key key = key_of(39);
    CHECK(code_map_has(map, &key));
    key.entry += 8;
    CHECK(!code_map_has(map, &key));
    key = key_of(39);
    key.symfile += 8;
    CHECK(!code_map_has(map, &key));
    key = key_of(39);
    key.symfile_bytes++;
    CHECK(!code_map_has(map, &key));
    close_map();
}

TEST(reloading_for_ever_needs_no_more_memory)
{
    open_map(4 << 20);
    size_t memory_bytes = 0;
    for (uint32_t generation = 0; generation < 3000; generation++) {
        const struct listed list[] = {{generation, BASE, "m"}, {0}};
        CHECK_UINT(refresh(generation, list), 1);
        CHECK_STR(name_at(BASE + 0x40, generation), "m:first/0");
        if (generation == 1000) {
            memory_bytes = code_map_memory_bytes(map);
        }
    }
    CHECK_UINT(code_map_memory_bytes(map), memory_bytes);
    CHECK_UINT(code_map_refused_cnt(map), 0);
    close_map();
}

// ---- limits and lies ------------------------------------------------------------------

TEST(the_emulators_own_file_is_no_module)
{
    const unsigned char own[32] = {0};
    const struct code_key key = {1, 2, sizeof own};
    open_map(1 << 20);
    code_map_begin(map, 0);
    CHECK(code_map_add(map, &key, own));
    code_map_end(map);
    CHECK_UINT(code_map_module_cnt(map), 0);
    CHECK_UINT(code_map_refused_cnt(map), 0);
    close_map();
}

TEST(what_does_not_fit_is_counted)
{
    open_map(2000);
    code_map_begin(map, 0);
    unsigned added = 0;
    unsigned refused = 0;
    for (uint64_t i = 0; i < 50; i++) {
        bool ok = add_module(i, BASE + i * CODE_BYTES, "m");
        added += ok;
        refused += !ok;
    }
    code_map_end(map);
    CHECK(added > 0 && refused > 0);
    CHECK_UINT(code_map_refused_cnt(map), refused);
    CHECK_UINT(code_map_module_cnt(map), added);
    CHECK_STR(name_at(BASE + 0x40, 0), "m:first/0");
    close_map();
}

static void look_everywhere(void)
{
    static const uint64_t PLACES[] = {
        0, BASE - 1, BASE, BASE + 0x40, BASE + 0x100, BASE + CODE_BYTES, UINT64_MAX, 1ULL << 32};
    for (size_t i = 0; i < sizeof PLACES / sizeof PLACES[0]; i++) {
        for (uint32_t generation = 0; generation < 3; generation++) {
            (void)name_at(PLACES[i], generation);
            (void)code_map_covers(map, PLACES[i]);
        }
    }
}

TEST(files_cut_at_any_byte_are_refused_or_taken_whole)
{
    make_module(BASE, "m");
    for (size_t len = 16; len <= file.len; len++) {
        unsigned char *exact = malloc(len);
        const struct code_key key = {1, 2, len};
        memcpy(exact, file.bytes, len);
        open_map(1 << 20);
        code_map_begin(map, 0);
        bool ok = code_map_add(map, &key, exact);
        free(exact);
        code_map_end(map);
        bool whole = len + 2 >= file.len; // the rest is padding
        CHECK_INT(ok, whole);
        CHECK_UINT(code_map_refused_cnt(map), !whole);
        CHECK_STR(name_at(BASE + 0x100, 0), whole ? "m:second/1" : "nothing");
        close_map();
    }
}

TEST(any_byte_may_lie)
{
    for (size_t at = 0;; at++) {
        make_module(BASE, "m");
        if (at == file.len) {
            break;
        }
        static const unsigned char VALUES[] = {0, 1, 0x7F, 0x80, 0xFF};
        for (size_t v = 0; v < sizeof VALUES; v++) {
            struct code_key key = key_of(1);
            open_map(1 << 20);
            load_one(BASE + CODE_BYTES, "honest");
            make_module(BASE, "m");
            file.bytes[at] = VALUES[v];
            code_map_begin(map, 1);
            key.entry = 99;
            (void)code_map_add(map, &key, file.bytes);
            make_module(BASE + CODE_BYTES, "honest");
            key = key_of(1);
            (void)code_map_has(map, &key);
            code_map_end(map);
            look_everywhere();
            close_map();
        }
    }
}

// A base so high that its end is not.
TEST(code_that_ends_before_it_begins_is_refused)
{
    open_map(1 << 20);
    code_map_begin(map, 0);
    CHECK(add_module(1, BASE, "m"));
    CHECK(!add_module(2, UINT64_MAX - 0x100, "wraps"));
    CHECK(add_module(3, BASE + CODE_BYTES, "n"));
    code_map_end(map);
    CHECK_STR(name_at(BASE + 0x40, 0), "m:first/0");
    CHECK_STR(name_at(BASE + CODE_BYTES + 0x40, 0), "n:first/0");
    CHECK(!code_map_covers(map, UINT64_MAX - 0x200));
    close_map();
}

// Two VMs with the same modules: the second adds no names, and the first takes none along.
TEST(maps_can_share_their_names)
{
    struct string_table *names = string_table_create(1 << 20);
    struct code_map *other = code_map_create_sharing(1 << 20, names);
    struct code_key key;
    make_module(BASE, "m");
    key = key_of(1);
    code_map_begin(other, 1);
    CHECK(code_map_add(other, &key, file.bytes));
    code_map_end(other);
    uint32_t cnt = string_table_count(names);

    map = code_map_create_sharing(1 << 20, names);
    code_map_begin(map, 1);
    CHECK(add_module(1, BASE, "m"));
    code_map_end(map);
    CHECK_UINT(string_table_count(names), cnt);
    code_map_destroy(other);
    CHECK_STR(name_at(BASE + 0x40, 1), "m:first/0");
    close_map();
    string_table_destroy(names);
}
