// SPDX-License-Identifier: Apache-2.0
#include "record/beam/process_names.h"

#include "model/beam_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_CELLS = 8192, ATOM_BYTES = 1024, FRAME_BYTES = 2 * ATOM_BYTES + 32, TERM_BYTES = 512 };

struct frame_cell {
    uint64_t key[3]; // what it is the frame of; 0 = unused
    string_id name;
    string_id file;
};

struct number_cell {
    uint64_t pid_term;
    uint32_t number;
};

struct process_names {
    struct term_texts texts;
    struct string_table *strings;
    struct frame_cell frames[CACHE_CELLS];
    struct number_cell numbers[CACHE_CELLS];
};

struct process_names *process_names_create(const struct term_texts *texts, size_t max_bytes)
{
    struct process_names *names = calloc(1, sizeof *names);
    if (names == NULL) {
        return NULL;
    }
    names->texts = *texts;
    names->strings = string_table_create(max_bytes);
    if (names->strings == NULL) {
        process_names_destroy(names);
        return NULL;
    }
    return names;
}

void process_names_destroy(struct process_names *names)
{
    if (names == NULL) {
        return;
    }
    string_table_destroy(names->strings);
    free(names);
}

static uint32_t cell_of(const uint64_t key[3])
{
    uint64_t hash = key[0] * 0x9E3779B97F4A7C15ULL;
    hash = (hash ^ key[1]) * 0x9E3779B97F4A7C15ULL;
    hash = (hash ^ key[2]) * 0x9E3779B97F4A7C15ULL;
    return (uint32_t)(hash >> 32) % CACHE_CELLS;
}

static struct text atom_text(struct process_names *names, uint64_t atom, char *bytes)
{
    size_t len = names->texts.atom(names->texts.context, atom, bytes, ATOM_BYTES);
    return (struct text){bytes, (uint32_t)len};
}

// Interns `{...}` and the file it belongs to.
static bool fill_cell(struct process_names *names, struct frame_cell *cell, const uint64_t key[3],
                      const char *name, struct text file)
{
    string_id name_id = string_table_intern(names->strings, text_of(name));
    if (name_id == 0) {
        return false;
    }
    memcpy(cell->key, key, sizeof cell->key);
    cell->name = name_id;
    cell->file = string_table_intern(names->strings, file);
    return true;
}

static void frame_from(const struct process_names *names, const struct frame_cell *cell,
                       struct frame *frame_ret)
{
    *frame_ret = (struct frame){
        .name = string_table_text(names->strings, cell->name),
        .texts = string_table_number(names->strings),
        .file = string_table_text(names->strings, cell->file),
    };
}

bool process_names_registered(struct process_names *names, uint64_t atom, struct frame *frame_ret)
{
    const uint64_t key[3] = {atom, 0, 0};
    struct frame_cell *cell = &names->frames[cell_of(key)];
    if (memcmp(cell->key, key, sizeof key) != 0) {
        char atom_bytes[ATOM_BYTES];
        char name[FRAME_BYTES];
        struct text text = beam_name_module(atom_text(names, atom, atom_bytes));
        (void)snprintf(name, sizeof name, "{registered %.*s}", (int)text.len, text.bytes);
        if (text.len == 0 || !fill_cell(names, cell, key, name, TEXT("process"))) {
            return false;
        }
    }
    frame_from(names, cell, frame_ret);
    return true;
}

struct function_texts {
    char module_bytes[ATOM_BYTES];
    char function_bytes[ATOM_BYTES];
    char call_bytes[FRAME_BYTES];
    struct text module;
    struct text call;
};

// False when an atom has no text (yet).
static bool function_text(struct process_names *names, const uint64_t mfa[3],
                          struct function_texts *texts)
{
    char arity[8];
    texts->module = atom_text(names, mfa[0], texts->module_bytes);
    struct text function = atom_text(names, mfa[1], texts->function_bytes);
    (void)snprintf(arity, sizeof arity, "%u", (unsigned)(mfa[2] & 0xFF));
    texts->call = beam_name_function(texts->module, function, text_of(arity), texts->call_bytes,
                                     sizeof texts->call_bytes - 3); // braces
    return texts->module.len > 0 && function.len > 0;
}

static bool fill_initial(struct process_names *names, struct frame_cell *cell,
                         const uint64_t mfa[3])
{
    struct function_texts texts;
    char name[FRAME_BYTES];
    char file[ATOM_BYTES + 8];
    if (!function_text(names, mfa, &texts)) {
        return false;
    }
    (void)snprintf(name, sizeof name, "{%.*s}", (int)texts.call.len, texts.call.bytes);
    return fill_cell(names, cell, mfa, name, beam_name_file(texts.module, file, sizeof file));
}

bool process_names_initial(struct process_names *names, const uint64_t mfa[3],
                           struct frame *frame_ret)
{
    struct frame_cell *cell = &names->frames[cell_of(mfa)];
    if (memcmp(cell->key, mfa, sizeof cell->key) != 0 && !fill_initial(names, cell, mfa)) {
        return false;
    }
    frame_from(names, cell, frame_ret);
    return true;
}

static bool fill_function(struct process_names *names, struct frame_cell *cell,
                          const uint64_t key[3], const uint64_t mfa[3], const char *kind)
{
    struct function_texts texts;
    char name[FRAME_BYTES];
    if (!function_text(names, mfa, &texts)) {
        return false;
    }
    (void)snprintf(name, sizeof name, "%.*s", (int)texts.call.len, texts.call.bytes);
    return fill_cell(names, cell, key, name, text_of(kind));
}

bool process_names_function(struct process_names *names, const uint64_t mfa[3], const char *kind,
                            struct frame *frame_ret)
{
    // Told apart from the same function as somebody's initial call.
    const uint64_t key[3] = {mfa[0], mfa[1],
                             (mfa[2] & 0xFF) | (uint64_t)(unsigned char)kind[0] << 8};
    struct frame_cell *cell = &names->frames[cell_of(key)];
    if (memcmp(cell->key, key, sizeof key) != 0 && !fill_function(names, cell, key, mfa, kind)) {
        return false;
    }
    frame_from(names, cell, frame_ret);
    return true;
}

bool process_names_term(struct process_names *names, const char *kind, const uint64_t *words,
                        uint32_t word_cnt, struct frame *frame_ret)
{
    char name[TERM_BYTES + 64];
    int head = snprintf(name, 64, "{%s ", kind);
    size_t len = term_text(&names->texts, words, word_cnt, name + head, TERM_BYTES);
    name[(size_t)head + len] = '}';
    const struct text text = {name, (uint32_t)((size_t)head + len + 1)};
    return len > 0 && process_names_note(names, text, frame_ret);
}

size_t process_names_text(struct process_names *names, uint64_t term, char *text, size_t text_bytes)
{
    return term_text(&names->texts, &term, 1, text, text_bytes);
}

bool process_names_note(struct process_names *names, struct text name, struct frame *frame_ret)
{
    string_id id = string_table_intern(names->strings, name);
    *frame_ret = (struct frame){.name = string_table_text(names->strings, id),
                                .texts = string_table_number(names->strings),
                                .file = TEXT("process")};
    return id != 0;
}

uint32_t process_names_number(struct process_names *names, uint64_t pid_term)
{
    const uint64_t key[3] = {pid_term, 0, 0};
    struct number_cell *cell = &names->numbers[cell_of(key)];
    if (cell->pid_term != pid_term) {
        uint32_t number = names->texts.process_number(names->texts.context, pid_term);
        *cell = (struct number_cell){pid_term, number};
    }
    return cell->number;
}
