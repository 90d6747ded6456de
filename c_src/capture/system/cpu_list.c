// SPDX-License-Identifier: Apache-2.0
#include "capture/system/cpu_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char ONLINE_PATH[] = "/sys/devices/system/cpu/online";

static bool parse_cpu(const char **at, uint32_t *cpu)
{
    if (**at < '0' || **at > '9') {
        return false;
    }
    char *end = NULL;
    unsigned long value = strtoul(*at, &end, 10);
    if (value >= CPU_LIST_MAX_CPUS) {
        return false;
    }
    *cpu = (uint32_t)value;
    *at = end;
    return true;
}

static bool parse_range(struct cpu_list *list, const char **at)
{
    uint32_t first = 0;
    if (!parse_cpu(at, &first)) {
        return false;
    }
    uint32_t last = first;
    if (**at == '-') {
        (*at)++;
        if (!parse_cpu(at, &last)) {
            return false;
        }
    }
    for (uint32_t cpu = first; cpu <= last; cpu++) {
        list->bits[cpu / 64] |= 1ULL << (cpu % 64);
    }
    return first <= last;
}

static bool parse_ranges(struct cpu_list *list, const char *at)
{
    while (parse_range(list, &at)) {
        if (*at != ',') {
            return *at == '\n' || *at == '\0';
        }
        at++;
    }
    return false;
}

bool cpu_list_parse(struct cpu_list *list, const char *notation)
{
    *list = (struct cpu_list){0};
    if (parse_ranges(list, notation)) {
        return true;
    }
    *list = (struct cpu_list){0};
    return false;
}

bool cpu_list_read_online(struct cpu_list *list, struct error *err)
{
    char notation[4096] = "";
    FILE *file = fopen(ONLINE_PATH, "re");
    if (file == NULL) {
        return error_os(err, errno, "open %s", ONLINE_PATH);
    }
    bool ok = fgets(notation, sizeof notation, file) != NULL && cpu_list_parse(list, notation);
    (void)fclose(file);
    return ok || error_set(err, ERROR_UNSUPPORTED, "%s holds no CPU list", ONLINE_PATH);
}

bool cpu_list_has(const struct cpu_list *list, uint32_t cpu)
{
    return cpu < CPU_LIST_MAX_CPUS && (list->bits[cpu / 64] >> (cpu % 64) & 1) != 0;
}

uint32_t cpu_list_count(const struct cpu_list *list)
{
    uint32_t cnt = 0;
    for (uint32_t i = 0; i < CPU_LIST_MAX_CPUS / 64; i++) {
        cnt += (uint32_t)__builtin_popcountll(list->bits[i]);
    }
    return cnt;
}
