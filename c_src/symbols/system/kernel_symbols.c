// SPDX-License-Identifier: Apache-2.0
#include "symbols/system/kernel_symbols.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char PATH[] = "/proc/kallsyms";

// kallsyms gives no sizes. The gap behind the kernel's or a module's last
// function must not be named after it.
enum { MAX_FUNCTION_BYTES = 256 << 10 };

// ADDRESS TYPE NAME[<TAB>[MODULE]]; the name is kept with its module behind it.
static void add_line(struct kernel_symbols *symbols, char *line)
{
    char *end = NULL;
    uint64_t address = strtoull(line, &end, 16);
    if (end == line || *end != ' ' || end[1] == '\0' || end[2] != ' ' ||
        strchr("tTwW", end[1]) == NULL) {
        return;
    }
    if (address == 0) {
        symbols->zero_cnt++;
        return;
    }
    char *name = end + 3;
    struct text text = {name, (uint32_t)strcspn(name, "\n")};
    bool is_local = end[1] == 't';
    (void)symbol_table_add(&symbols->table, address, MAX_FUNCTION_BYTES, SYMBOL_UP_TO_THE_NEXT,
                           is_local ? 0 : 1, text);
}

bool kernel_symbols_parse(struct kernel_symbols *symbols, FILE *stream, struct error *err)
{
    char *line = NULL;
    size_t line_bytes = 0;
    symbol_table_init(&symbols->table, KERNEL_SYMBOLS_MAX_BYTES);
    symbols->table.packed.unpacker = symbols->unpacker;
    symbols->zero_cnt = 0;
    symbols->is_loaded = true;
    while (getline(&line, &line_bytes, stream) > 0) {
        add_line(symbols, line);
    }
    free(line);
    symbol_table_finish(&symbols->table);
    if (symbols->table.cnt > 0) {
        return true;
    }
    if (symbols->zero_cnt > 0) {
        return error_set(err, ERROR_NOT_PERMITTED,
                         "%s hides its addresses, kernel functions stay unnamed: "
                         "kernel.kptr_restrict is 2, or CAP_SYSLOG is missing",
                         PATH);
    }
    return error_set(err, ERROR_BAD_INPUT, "%s holds no functions", PATH);
}

bool kernel_symbols_load(struct kernel_symbols *symbols, struct error *err)
{
    FILE *stream = fopen(PATH, "re");
    if (stream == NULL) {
        symbols->is_loaded = true; // and empty: it will not get better
        return error_os(err, errno, "open %s, kernel functions stay unnamed", PATH);
    }
    bool ok = kernel_symbols_parse(symbols, stream, err);
    (void)fclose(stream);
    return ok;
}

bool kernel_symbols_split(struct text whole, struct text *name, struct text *module)
{
    uint32_t len = 0;
    while (len < whole.len && whole.bytes[len] != '\t' && whole.bytes[len] != ' ') {
        len++;
    }
    *name = (struct text){whole.bytes, len};
    *module = TEXT("[kernel.kallsyms]");
    if (len + 1 < whole.len) {
        *module = (struct text){whole.bytes + len + 1, whole.len - len - 1};
    }
    return len > 0 && !text_begins_with(*name, TEXT("0x"));
}

bool kernel_symbols_find(const struct kernel_symbols *symbols, uint64_t address, struct text *name,
                         struct text *module)
{
    const struct symbol *symbol = symbol_table_find(&symbols->table, address);
    return symbol != NULL &&
           kernel_symbols_split(symbol_table_name(&symbols->table, symbol), name, module);
}

void kernel_symbols_deinit(struct kernel_symbols *symbols)
{
    symbol_table_deinit(&symbols->table);
    *symbols = (struct kernel_symbols){.unpacker = symbols->unpacker};
}
