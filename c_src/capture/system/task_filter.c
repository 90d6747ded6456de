// SPDX-License-Identifier: Apache-2.0
#include "capture/system/task_filter.h"

#include <stdio.h>
#include <string.h>

enum { LINE_BYTES = 4352 };

static bool has_number(const uint32_t *numbers, uint32_t cnt, uint32_t number)
{
    for (uint32_t i = 0; i < cnt; i++) {
        if (numbers[i] == number) {
            return true;
        }
    }
    return false;
}

static bool has_comm(const struct system_filter *filter, const char *comm)
{
    for (uint32_t i = 0; i < filter->comm_cnt; i++) {
        if (strncmp(filter->comms[i], comm, SYSTEM_COMM_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

// --- control groups -----------------------------------------------------------------------

static bool is_chosen(const struct system_filter *filter, const struct cgroup_directory *cgroup)
{
    for (uint32_t i = 0; i < filter->cgroup_cnt; i++) {
        if (filter->cgroups[i].id == cgroup->id) {
            return true;
        }
    }
    return false;
}

// The group, or one above it. `path` is cut on the way up.
static bool is_below_chosen(const struct system_filter *filter, const char *controllers, char *path)
{
    struct cgroup_directory cgroup;
    for (;;) {
        if (cgroup_directory_find_in(controllers, path[0] == '\0' ? "/" : path, &cgroup) &&
            strcmp(cgroup.controller, filter->cgroups[0].controller) == 0 &&
            is_chosen(filter, &cgroup)) {
            return true;
        }
        char *slash = strrchr(path, '/');
        if (slash == NULL) {
            return false;
        }
        *slash = '\0';
    }
}

// "4:memory:/system.slice/x.service"
static bool line_passes(const struct system_filter *filter, char *line)
{
    line[strcspn(line, "\n")] = '\0';
    char *controllers = strchr(line, ':');
    char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
    if (path == NULL) {
        return false;
    }
    *path = '\0';
    return is_below_chosen(filter, controllers + 1, path + 1);
}

static bool cgroup_passes(const struct system_filter *filter, uint32_t pid)
{
    char name[32];
    char line[LINE_BYTES];
    bool passes = false;
    (void)snprintf(name, sizeof name, "/proc/%u/cgroup", pid);
    FILE *file = fopen(name, "re");
    while (file != NULL && !passes && fgets(line, sizeof line, file) != NULL) {
        passes = line_passes(filter, line);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return passes;
}

static bool process_passes(const struct system_filter *filter, struct task_table *table,
                           uint32_t pid)
{
    struct task *process = task_table_process(table, pid);
    if (!process->is_judged) {
        process->is_judged = true;
        process->passes = cgroup_passes(filter, pid);
    }
    return process->passes;
}

bool task_filter_passes(const struct system_filter *filter, struct task_table *table,
                        const struct task *thread)
{
    uint32_t pid = thread->pid;
    return (filter->thread_cnt == 0 ||
            has_number(filter->threads, filter->thread_cnt, thread->tid)) &&
           (filter->comm_cnt == 0 || has_comm(filter, thread->comm)) &&
           (filter->user_cnt == 0 ||
            (thread->has_user && has_number(filter->users, filter->user_cnt, thread->user))) &&
           (filter->cgroup_cnt == 0 || process_passes(filter, table, pid));
}
