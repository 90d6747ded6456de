// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/elf_cache.h"
#include "symbols/system/vdso.h"

#include "elf_image.h"
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static char path[160];

static int make_file(const char *name, const char *function)
{
    struct elf_image image;
    char strings[64] = "";
    Elf64_Sym symbol = elf_image_function(1, ELF_IMAGE_TEXT_ADDRESS, 0x10);
    (void)snprintf(strings + 1, sizeof strings - 1, "%s", function);
    elf_image_begin(&image);
    elf_image_add_symbols(&image, SHT_SYMTAB, &symbol, 1, strings, sizeof strings);
    elf_image_end(&image);
    (void)snprintf(path, sizeof path, "%s/%s", test_dir(), name);
    CHECK_INT(elf_image_write(&image, path), 0);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static void check_name(struct elf_cache *cache, elf_cache_id id, const char *wanted)
{
    struct text name;
    uint64_t function = 0;
    CHECK_INT(elf_cache_name(cache, id, 0x1004, &name, &function), ELF_CACHE_NAMED);
    CHECK(text_equal(name, text_of(wanted)));
}

TEST(one_table_for_one_file)
{
    struct elf_cache *cache = elf_cache_create(1 << 20, NULL);
    struct text name;
    uint64_t function = 0;
    elf_cache_id id = elf_cache_open(cache, make_file("a", "alpha"), text_of(path), NULL);
    CHECK(id != 0);
    check_name(cache, id, "alpha");
    CHECK_INT(elf_cache_name(cache, id, 0x1010, &name, &function), ELF_CACHE_UNNAMED);
    CHECK_INT(elf_cache_name(cache, id, 0x100000, &name, &function), ELF_CACHE_UNNAMED);
    CHECK_UINT(elf_cache_open(cache, open(path, O_RDONLY | O_CLOEXEC), TEXT("/other"), NULL), id);
    CHECK_UINT(elf_cache_count(cache), 1);
    elf_cache_destroy(cache);
}

TEST(a_file_that_was_rewritten_is_another)
{
    struct elf_cache *cache = elf_cache_create(1 << 20, NULL);
    elf_cache_id first = elf_cache_open(cache, make_file("b", "before"), text_of(path), NULL);
    (void)usleep(20000); // the clock of file times ticks every 4 ms
    elf_cache_id second = elf_cache_open(cache, make_file("b", "after_it"), text_of(path), NULL);
    CHECK(first != second);
    check_name(cache, first, "before");
    check_name(cache, second, "after_it");
    elf_cache_destroy(cache);
}

TEST(a_known_file_is_found_by_its_inode)
{
    struct stat status;
    struct elf_cache *cache = elf_cache_create(1 << 20, NULL);
    elf_cache_id id = elf_cache_open(cache, make_file("c", "gamma"), text_of(path), NULL);
    CHECK_INT(stat(path, &status), 0);
    CHECK_UINT(elf_cache_by_inode(cache, major(status.st_dev), minor(status.st_dev), status.st_ino),
               id);
    CHECK_UINT(
        elf_cache_by_inode(cache, major(status.st_dev), minor(status.st_dev), status.st_ino + 1),
        0);
    elf_cache_destroy(cache);
}

TEST(what_is_no_elf_file_has_no_names)
{
    struct text name;
    uint64_t function = 0;
    struct elf_cache *cache = elf_cache_create(1 << 20, NULL);
    elf_cache_id id =
        elf_cache_open(cache, open("/etc/passwd", O_RDONLY | O_CLOEXEC), TEXT("/x"), NULL);
    CHECK(id != 0);
    CHECK_INT(elf_cache_name(cache, id, 0, &name, &function), ELF_CACHE_UNNAMED);
    CHECK_UINT(elf_cache_open(cache, -1, TEXT("/x"), NULL), 0);
    elf_cache_destroy(cache);
}

TEST(the_least_recently_used_is_dropped_and_says_so)
{
    struct text name;
    uint64_t function = 0;
    struct elf_cache *cache = elf_cache_create(100, NULL);
    elf_cache_id first = elf_cache_open(
        cache, make_file("d", "delta_of_a_long_name_so_that_it_is_big"), text_of(path), NULL);
    elf_cache_id second = elf_cache_open(
        cache, make_file("e", "epsilon_of_a_long_name_that_is_big"), text_of(path), NULL);
    check_name(cache, first, "delta_of_a_long_name_so_that_it_is_big");
    elf_cache_trim(cache);
    CHECK_UINT(elf_cache_count(cache), 1);
    check_name(cache, first, "delta_of_a_long_name_so_that_it_is_big");
    CHECK_INT(elf_cache_name(cache, second, 0x1004, &name, &function), ELF_CACHE_DROPPED);
    CHECK_INT(elf_cache_name(cache, 0, 0x1004, &name, &function), ELF_CACHE_DROPPED);
    CHECK_INT(elf_cache_name(cache, UINT64_MAX, 0x1004, &name, &function), ELF_CACHE_DROPPED);
    elf_cache_destroy(cache);
    elf_cache_destroy(NULL);
}

TEST(a_build_id_stays_with_its_file)
{
    struct elf_image image;
    struct elf_cache *cache = elf_cache_create(1 << 20, NULL);
    elf_image_begin(&image);
    elf_image_add_build_id(&image, "abc");
    elf_image_end(&image);
    (void)snprintf(path, sizeof path, "%s/built", test_dir());
    CHECK_INT(elf_image_write(&image, path), 0);
    elf_cache_id id = elf_cache_open(cache, open(path, O_RDONLY | O_CLOEXEC), text_of(path), NULL);
    struct elf_build_id build_id = elf_cache_build_id(cache, id);
    CHECK_UINT(build_id.len, 20);
    CHECK_INT(memcmp(build_id.bytes, "abc", 3), 0);
    CHECK_UINT(elf_cache_build_id(cache, 0).len, 0);
    elf_cache_destroy(cache);
}

TEST(the_vdso_has_names)
{
    struct symbol_table table;
    symbol_table_init(&table, 1 << 20);
    if (!vdso_load(&table)) {
        TEST_SKIP("this kernel maps no vdso");
    }
    bool found = false;
    for (uint32_t i = 0; i < table.cnt; i++) {
        found = found ||
                strstr(symbol_table_name(&table, &table.symbols[i]).bytes, "clock_gettime") != NULL;
    }
    CHECK(found);
    symbol_table_deinit(&table);
}
