// SPDX-License-Identifier: Apache-2.0
#include "cli/record_filter.h"

#include "capture/system/container_groups.h"
#include "cli/number_text.h"

#include <stdio.h>
#include <string.h>

enum { LIST_BYTES = 8192 };

typedef bool (*take_item)(struct system_filter *filter, const char *item, struct error *err);

static bool each(struct system_filter *filter, const char *list, take_item take, struct error *err)
{
    char copy[LIST_BYTES];
    if (snprintf(copy, sizeof copy, "%s", list) >= (int)sizeof copy) {
        return error_set(err, ERROR_BAD_ARGUMENT, "%.20s...: the list is too long", list);
    }
    char *rest = copy;
    for (char *item = strsep(&rest, ","); item != NULL; item = strsep(&rest, ",")) {
        if (item[0] == '\0') {
            return error_set(err, ERROR_BAD_ARGUMENT, "'%s': an empty item in the list", list);
        }
        if (!take(filter, item, err)) {
            return false;
        }
    }
    return true;
}

static bool take_thread(struct system_filter *filter, const char *item, struct error *err)
{
    uint64_t tid = 0;
    if (!number_text_parse(item, 1, 1 << 22, &tid)) {
        return error_set(err, ERROR_BAD_ARGUMENT, "--tid: '%s' is no thread id", item);
    }
    return system_filter_add_thread(filter, (uint32_t)tid, err);
}

// /etc/passwd and nothing else: getpwnam() would load libraries, which a static
// binary cannot.
static bool user_by_name(const char *name, uint64_t *uid_ret)
{
    char line[1024];
    bool found = false;
    size_t len = strlen(name);
    FILE *file = fopen("/etc/passwd", "re");
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        char *number = NULL;
        if (strncmp(line, name, len) == 0 && line[len] == ':') {
            number = strchr(line + len + 1, ':');
        }
        if (number != NULL) {
            number++;
            number[strcspn(number, ":\n")] = '\0';
            found = number_text_parse(number, 0, UINT32_MAX, uid_ret);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return found;
}

static bool take_user(struct system_filter *filter, const char *item, struct error *err)
{
    uint64_t uid = 0;
    if (!number_text_parse(item, 0, UINT32_MAX, &uid) && !user_by_name(item, &uid)) {
        return error_set(err, ERROR_BAD_ARGUMENT,
                         "--uid: '%s' is neither a number nor a user in /etc/passwd", item);
    }
    return system_filter_add_user(filter, (uint32_t)uid, err);
}

static bool take_cgroup(struct system_filter *filter, const char *item, struct error *err)
{
    struct cgroup_directory directory;
    struct error why = {0};
    if (!cgroup_directory_find(item, &directory, &why)) {
        return error_set(err, ERROR_BAD_ARGUMENT, "--cgroup %s", why.detail);
    }
    return system_filter_add_cgroup(filter, &directory, err);
}

bool record_filter_threads(struct system_filter *filter, const char *list, struct error *err)
{
    return each(filter, list, take_thread, err);
}

bool record_filter_comms(struct system_filter *filter, const char *list, struct error *err)
{
    return each(filter, list, system_filter_add_comm, err);
}

bool record_filter_users(struct system_filter *filter, const char *list, struct error *err)
{
    return each(filter, list, take_user, err);
}

bool record_filter_cgroups(struct system_filter *filter, const char *list, struct error *err)
{
    return each(filter, list, take_cgroup, err);
}

static bool take_container(struct system_filter *filter, const char *item, struct error *err)
{
    struct error why = {0};
    if (!container_groups_add(filter, item, &why)) {
        return error_set(err, ERROR_BAD_ARGUMENT, "--container %s: %s", item, why.detail);
    }
    return true;
}

bool record_filter_containers(struct system_filter *filter, const char *list, struct error *err)
{
    return each(filter, list, take_container, err);
}
