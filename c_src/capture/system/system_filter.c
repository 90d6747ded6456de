// SPDX-License-Identifier: Apache-2.0
#include "capture/system/system_filter.h"

#include <string.h>

static bool has_room(uint32_t cnt, const char *what, struct error *err)
{
    return cnt < SYSTEM_FILTER_MAX_VALUES ||
           error_set(err, ERROR_BAD_ARGUMENT, "at most %d %s", SYSTEM_FILTER_MAX_VALUES, what);
}

bool system_filter_add_thread(struct system_filter *filter, uint32_t tid, struct error *err)
{
    if (!has_room(filter->thread_cnt, "threads", err)) {
        return false;
    }
    filter->threads[filter->thread_cnt++] = tid;
    return true;
}

bool system_filter_add_user(struct system_filter *filter, uint32_t uid, struct error *err)
{
    if (!has_room(filter->user_cnt, "users", err)) {
        return false;
    }
    filter->users[filter->user_cnt++] = uid;
    return true;
}

bool system_filter_add_comm(struct system_filter *filter, const char *comm, struct error *err)
{
    if (!has_room(filter->comm_cnt, "commands", err)) {
        return false;
    }
    char *to = filter->comms[filter->comm_cnt++];
    memset(to, 0, SYSTEM_COMM_BYTES);
    memcpy(to, comm, strnlen(comm, SYSTEM_COMM_BYTES - 1));
    return true;
}

bool system_filter_add_cgroup(struct system_filter *filter, const struct cgroup_directory *cgroup,
                              struct error *err)
{
    if (!has_room(filter->cgroup_cnt, "control groups", err)) {
        return false;
    }
    if (filter->cgroup_cnt > 0 && strcmp(filter->cgroups[0].controller, cgroup->controller) != 0) {
        return error_set(
            err, ERROR_BAD_ARGUMENT, "control groups of one hierarchy only: %s and %s are two",
            cgroup_directory_hierarchy(&filter->cgroups[0]), cgroup_directory_hierarchy(cgroup));
    }
    filter->cgroups[filter->cgroup_cnt++] = *cgroup;
    return true;
}
