// SPDX-License-Identifier: Apache-2.0
#include "capture/system/process_identity.h"

#include "capture/system/process_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_TEXT_BYTES = 256 << 10 };

// --- reading ----------------------------------------------------------------------

// NUL-terminated, at most `max_bytes`; how many. 0 when it cannot be read.
static size_t read_text(uint32_t pid, const char *file, char *text, size_t max_bytes)
{
    char path[64];
    size_t len = 0;
    (void)snprintf(path, sizeof path, "/proc/%u/%s", pid, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        text[0] = '\0';
        return 0;
    }
    ssize_t got = 0;
    while (len + 1 < max_bytes && (got = read(fd, text + len, max_bytes - 1 - len)) > 0) {
        len += (size_t)got;
    }
    (void)close(fd);
    text[len] = '\0';
    return len;
}

static bool read_program(uint32_t pid, struct process_identity *identity)
{
    static const char DELETED[] = " (deleted)";
    char path[64];
    char target[4096];
    (void)snprintf(path, sizeof path, "/proc/%u/exe", pid);
    ssize_t len = readlink(path, target, sizeof target - 1);
    if (len < 0) {
        return false;
    }
    target[len] = '\0';
    size_t deleted_len = sizeof DELETED - 1;
    if ((size_t)len > deleted_len && strcmp(target + len - deleted_len, DELETED) == 0) {
        target[(size_t)len - deleted_len] = '\0';
    }
    const char *slash = strrchr(target, '/');
    (void)snprintf(identity->program, sizeof identity->program, "%.63s",
                   slash == NULL ? target : slash + 1);
    return true;
}

static void read_command(uint32_t pid, struct process_identity *identity)
{
    size_t len = read_text(pid, "cmdline", identity->command, sizeof identity->command);
    while (len > 0 && identity->command[len - 1] == '\0') {
        len--;
    }
    for (size_t i = 0; i < len; i++) {
        char *c = &identity->command[i];
        *c = (unsigned char)*c < ' ' ? ' ' : *c;
    }
}

static void read_variables(uint32_t pid, const char *const *variables, uint32_t variable_cnt,
                           char *text, struct process_identity *identity)
{
    size_t len = variable_cnt == 0 ? 0 : read_text(pid, "environ", text, MAX_TEXT_BYTES);
    for (uint32_t i = 0; i < variable_cnt && i < IDENTITY_MAX_VARIABLES; i++) {
        (void)process_identity_variable(text, len, variables[i], identity->variables[i],
                                        sizeof identity->variables[i]);
    }
}

bool process_identity_read(uint32_t pid, const char *const *variables, uint32_t variable_cnt,
                           struct process_identity *identity_ret)
{
    struct process_identity *identity = identity_ret;
    *identity = (struct process_identity){.place = {.engine = ""}};
    char *text = malloc(MAX_TEXT_BYTES);
    if (text == NULL) {
        return false;
    }
    identity->has_status = process_files_owner(pid, &identity->user) &&
                           process_files_inner_pid(pid, &identity->inner_pid);
    size_t len = read_text(pid, "cgroup", text, MAX_TEXT_BYTES);
    (void)cgroup_place_parse((struct text){text, (uint32_t)len}, &identity->place);
    read_command(pid, identity);
    bool has_program = read_program(pid, identity);
    if (has_program) {
        identity->runtime = process_identity_runtime(identity->program, NULL);
    }
    if (has_program && identity->runtime == NULL) {
        (void)read_text(pid, "maps", text, MAX_TEXT_BYTES);
        identity->runtime = process_identity_runtime("", text);
    }
    read_variables(pid, variables, variable_cnt, text, identity);
    free(text);
    return has_program;
}

// --- what it means ----------------------------------------------------------------

const char *process_identity_runtime(const char *program, const char *maps)
{
    static const struct {
        const char *program; // what the name begins with
        const char *library; // what a program that embeds it has mapped
        const char *runtime;
    } RUNTIMES[] = {
        {"beam.", "", "beam"},           {"beam", "", "beam"},
        {"node", "/libnode.so", "node"}, {"python", "/libpython", "python"},
        {"pypy", "/libpypy", "python"},  {"java", "/libjvm.so", "java"},
        {"ruby", "/libruby", "ruby"},    {"perl", "/libperl.so", "perl"},
        {"php", "/libphp", "php"},       {"dotnet", "/libcoreclr.so", "dotnet"},
    };
    for (size_t i = 0; i < sizeof RUNTIMES / sizeof RUNTIMES[0]; i++) {
        size_t len = strlen(RUNTIMES[i].program);
        bool begins = strncmp(program, RUNTIMES[i].program, len) == 0;
        // python3.11, php-fpm8.2, nodejs, perl5.36.0: but not nodetool, javac, rubyist
        const char *rest = program + (begins ? len : 0);
        bool ends = strspn(rest, "0123456789.-") == strlen(rest) || strcmp(rest, "js") == 0 ||
                    strncmp(rest, "-fpm", 4) == 0 || strcmp(program, "beam.smp") == 0 ||
                    strncmp(program, "beam.", 5) == 0;
        bool is_mapped = maps != NULL && RUNTIMES[i].library[0] != '\0' &&
                         strstr(maps, RUNTIMES[i].library) != NULL;
        if ((begins && program[0] != '\0' && ends) || is_mapped) {
            return RUNTIMES[i].runtime;
        }
    }
    return NULL;
}

bool process_identity_variable(const char *environ, size_t len, const char *name, char *value,
                               size_t value_bytes)
{
    size_t name_len = strlen(name);
    const char *end = environ + len;
    for (const char *at = environ; at < end;) {
        size_t left = strnlen(at, (size_t)(end - at));
        if (left > name_len && memcmp(at, name, name_len) == 0 && at[name_len] == '=') {
            (void)snprintf(value, value_bytes, "%.*s", (int)(left - name_len - 1),
                           at + name_len + 1);
            return true;
        }
        at += left + 1;
    }
    return false;
}
