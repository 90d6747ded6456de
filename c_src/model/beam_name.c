// SPDX-License-Identifier: Apache-2.0
#include "model/beam_name.h"

#include <string.h>

struct output {
    char *bytes;
    uint32_t len;
    size_t max_bytes;
};

static void put(struct output *out, struct text text)
{
    size_t room = out->max_bytes - out->len;
    uint32_t len = text.len < room ? text.len : (uint32_t)room;
    if (len > 0) {
        memcpy(out->bytes + out->len, text.bytes, len);
        out->len += len;
    }
}

static struct text result(const struct output *out)
{
    return (struct text){out->bytes, out->len};
}

static struct text part(struct text text, uint32_t from, uint32_t to)
{
    return (struct text){text.bytes + from, to - from};
}

struct text beam_name_module(struct text module)
{
    struct text elixir = TEXT("Elixir.");
    bool is_elixir = module.len > elixir.len && text_begins_with(module, elixir);
    return is_elixir ? part(module, elixir.len, module.len) : module;
}

static bool is_elixir(struct text module)
{
    return beam_name_module(module).len != module.len;
}

// Where the last `-fun-` begins, or the end.
static uint32_t fun_at(struct text text)
{
    struct text fun = TEXT("-fun-");
    for (uint32_t at = text.len; at > 0; at--) {
        if (text_begins_with(part(text, at - 1, text.len), fun)) {
            return at - 1;
        }
    }
    return text.len;
}

// Functions that the compiler has made have their names between dashes.
static void put_made(struct output *out, struct text module, struct text function,
                     struct text arity)
{
    struct text captured = TEXT("fun.");
    struct text name = part(function, 1, function.len - 1);
    uint32_t fun = fun_at(name);
    bool is_capture = text_begins_with(name, captured);
    put(out, is_capture ? TEXT("&") : TEXT(""));
    put(out, module);
    put(out, TEXT("."));
    if (is_capture) {
        put(out, part(name, captured.len, name.len));
        return;
    }
    put(out, part(name, 0, fun));
    if (fun < name.len) {
        put(out, TEXT("-fn-"));
        put(out, part(name, fun + 5, name.len));
    }
    put(out, TEXT("/"));
    put(out, arity);
}

struct text beam_name_function(struct text module, struct text function, struct text arity,
                               char *bytes, size_t max_bytes)
{
    struct output out = {bytes, 0, max_bytes};
    bool made =
        function.len > 2 && function.bytes[0] == '-' && function.bytes[function.len - 1] == '-';
    if (is_elixir(module) && made) {
        put_made(&out, beam_name_module(module), function, arity);
        return result(&out);
    }
    put(&out, beam_name_module(module));
    put(&out, is_elixir(module) ? TEXT(".") : TEXT(":"));
    put(&out, function);
    put(&out, TEXT("/"));
    put(&out, arity);
    return result(&out);
}

// ---- as printed by the VM -----------------------------------------------------------

enum { NOWHERE = -1 };

struct unquoted {
    struct text text;
    int32_t colon; // the first that is not inside quotes
    int32_t slash; // the last
};

static void note_separator(struct unquoted *name, char c)
{
    if (c == ':' && name->colon == NOWHERE) {
        name->colon = (int32_t)name->text.len;
    } else if (c == '/') {
        name->slash = (int32_t)name->text.len;
    }
}

static struct unquoted unquote(struct text printed, char *bytes, size_t max_bytes)
{
    struct unquoted name = {{bytes, 0}, NOWHERE, NOWHERE};
    bool in_quotes = false;
    for (uint32_t i = 0; i < printed.len && name.text.len < max_bytes; i++) {
        bool escapes = in_quotes && printed.bytes[i] == '\\' && i + 1 < printed.len;
        i += escapes;
        if (!escapes && printed.bytes[i] == '\'') {
            in_quotes = !in_quotes;
            continue;
        }
        if (!in_quotes) {
            note_separator(&name, printed.bytes[i]);
        }
        bytes[name.text.len++] = printed.bytes[i];
    }
    return name;
}

struct text beam_name_printed(struct text printed, char *bytes, size_t max_bytes)
{
    char scratch[BEAM_NAME_MAX_BYTES];
    size_t max_scratch = max_bytes < sizeof scratch ? max_bytes : sizeof scratch;
    struct unquoted name = unquote(printed, scratch, max_scratch);
    if (name.colon == NOWHERE || name.slash < name.colon) {
        struct output out = {bytes, 0, max_bytes};
        put(&out, beam_name_module(name.text));
        return result(&out);
    }
    uint32_t colon = (uint32_t)name.colon;
    uint32_t slash = (uint32_t)name.slash;
    return beam_name_function(part(name.text, 0, colon), part(name.text, colon + 1, slash),
                              part(name.text, slash + 1, name.text.len), bytes, max_bytes);
}

struct text beam_name_printed_module(struct text printed, char *bytes, size_t max_bytes)
{
    struct unquoted name = unquote(printed, bytes, max_bytes);
    return part(name.text, 0, name.colon == NOWHERE ? 0 : (uint32_t)name.colon);
}

struct text beam_name_file(struct text module, char *bytes, size_t max_bytes)
{
    struct output out = {bytes, 0, max_bytes};
    put(&out, beam_name_module(module));
    put(&out, is_elixir(module) ? TEXT(".ex") : TEXT(".erl"));
    return result(&out);
}
