// SPDX-License-Identifier: Apache-2.0
#include "cli/record_pids.h"

#include "cli/number_text.h"

#include <stdio.h>
#include <string.h>

static bool add_pid(struct record_pids *pids, uint32_t pid, struct error *err)
{
    for (uint32_t i = 0; i < pids->cnt; i++) {
        if (pids->items[i] == pid) {
            return true;
        }
    }
    if (pids->cnt == RECORD_MAX_PIDS) {
        return error_set(err, ERROR_BAD_ARGUMENT, "-p: at most %d processes", RECORD_MAX_PIDS);
    }
    pids->items[pids->cnt++] = pid;
    return true;
}

bool record_pids_add(struct record_pids *pids, const char *list, struct error *err)
{
    char copy[8192];
    if (snprintf(copy, sizeof copy, "%s", list) >= (int)sizeof copy) {
        return error_set(err, ERROR_BAD_ARGUMENT, "-p: the list is too long");
    }
    char *rest = copy;
    for (char *item = strsep(&rest, ","); item != NULL; item = strsep(&rest, ",")) {
        uint64_t pid = 0;
        if (!number_text_parse(item, 1, 1 << 22, &pid)) {
            return error_set(err, ERROR_BAD_ARGUMENT,
                             "-p %s: '%s' is no process id (expected PID[,PID...])", list, item);
        }
        if (!add_pid(pids, (uint32_t)pid, err)) {
            return false;
        }
    }
    return true;
}

static bool check_pid(uint32_t pid, struct error *err)
{
    char path[64];
    char line[128];
    unsigned process = pid;
    (void)snprintf(path, sizeof path, "/proc/%u/status", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return error_set(err, ERROR_BAD_ARGUMENT, "-p %u: there is no such process", pid);
    }
    while (fgets(line, sizeof line, file) != NULL && sscanf(line, "Tgid: %u", &process) != 1) {
    }
    (void)fclose(file);
    return process == pid ||
           error_set(err, ERROR_BAD_ARGUMENT,
                     "-p %u: that is a thread of process %u, give its process", pid, process);
}

bool record_pids_check(const struct record_pids *pids, struct error *err)
{
    bool ok = true;
    for (uint32_t i = 0; i < pids->cnt && ok; i++) {
        ok = check_pid(pids->items[i], err);
    }
    return ok;
}
