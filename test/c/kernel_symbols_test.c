// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/kernel_symbols.h"

#include "test.h"

static struct kernel_symbols symbols;
static struct error err;

static bool parse(const char *content)
{
    kernel_symbols_deinit(&symbols);
    FILE *stream = fmemopen((void *)(uintptr_t)content, strlen(content), "r");
    CHECK(stream != NULL);
    bool ok = kernel_symbols_parse(&symbols, stream, &err);
    (void)fclose(stream);
    return ok;
}

static void check_at(uint64_t address, const char *wanted_name, const char *wanted_module)
{
    struct text name;
    struct text module;
    CHECK(kernel_symbols_find(&symbols, address, &name, &module));
    CHECK(text_equal(name, text_of(wanted_name)));
    CHECK(text_equal(module, text_of(wanted_module)));
}

TEST(functions_of_kernel_and_modules)
{
    CHECK(parse("ffffffff81000000 T _text\n"
                "ffffffff81000100 t helper\n"
                "ffffffff81000200 D some_data\n"
                "ffffffffc0000000 t nf_hook\t[nf_tables]\n"));
    struct text name;
    struct text module;
    check_at(0xffffffff810000ff, "_text", "[kernel.kallsyms]");
    check_at(0xffffffff81000100, "helper", "[kernel.kallsyms]");
    check_at(0xffffffff81000300, "helper", "[kernel.kallsyms]"); // data is no function
    check_at(0xffffffffc0000010, "nf_hook", "[nf_tables]");
    CHECK(!kernel_symbols_find(&symbols, 0xffffffff80000000, &name, &module));
    // Far behind a module's last function there is another module, or nothing.
    CHECK(!kernel_symbols_find(&symbols, 0xffffffffc0100000, &name, &module));
}

TEST(hidden_addresses_have_a_reason)
{
    CHECK(!parse("0000000000000000 T _text\n0000000000000000 t helper\n"));
    CHECK_INT(err.code, ERROR_NOT_PERMITTED);
    CHECK_HAS(err.detail, "kptr_restrict");
    CHECK(symbols.is_loaded);
    struct text name;
    struct text module;
    CHECK(!kernel_symbols_find(&symbols, 0, &name, &module));
}

TEST(nonsense_is_no_symbol_table)
{
    CHECK(!parse("not\nkallsyms\n\nffffffff81000000\nffffffff81000000 T\n"));
    CHECK_INT(err.code, ERROR_BAD_INPUT);
}

TEST(this_kernel)
{
    kernel_symbols_deinit(&symbols);
    if (!kernel_symbols_load(&symbols, &err)) {
        TEST_SKIP("%s", err.detail);
    }
    CHECK(symbols.table.cnt > 1000);
    CHECK_UINT(symbols.table.refused, 0);
    kernel_symbols_deinit(&symbols);
}
