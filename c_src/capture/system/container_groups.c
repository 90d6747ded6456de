// SPDX-License-Identifier: Apache-2.0
#include "capture/system/container_groups.h"

#include "capture/system/cgroup_place.h"
#include "capture/system/container_names.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MIN_ID_LEN = 6, TEXT_BYTES = 16384 };

static bool read_place(const char *pid, struct cgroup_place *place)
{
    char path[300];
    char text[TEXT_BYTES];
    (void)snprintf(path, sizeof path, "/proc/%s/cgroup", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    size_t len = fread(text, 1, sizeof text, file);
    (void)fclose(file);
    return cgroup_place_parse((struct text){text, (uint32_t)len}, place) &&
           place->container[0] != '\0';
}

static bool is_called(const struct cgroup_place *place, const char *who)
{
    struct container_name name;
    size_t len = strlen(who);
    if (len >= MIN_ID_LEN && strncmp(place->container, who, len) == 0) {
        return true;
    }
    return strcmp(place->container, who) == 0 ||
           (container_names_find("", place->container, &name) && strcmp(name.container, who) == 0);
}

// The container's own group, without those that it made in itself.
static void cut_behind_container(struct cgroup_place *place)
{
    char *at = strstr(place->path, place->container);
    for (char *next = at; next != NULL; next = strstr(next + 1, place->container)) {
        at = next;
    }
    if (at != NULL) {
        at[strcspn(at, "/")] = '\0';
    }
}

static bool has_it(const struct system_filter *filter, uint64_t id)
{
    for (uint32_t i = 0; i < filter->cgroup_cnt; i++) {
        if (filter->cgroups[i].id == id) {
            return true;
        }
    }
    return false;
}

static bool add(struct system_filter *filter, struct cgroup_place *place, struct error *err)
{
    struct cgroup_directory directory;
    cut_behind_container(place);
    if (!cgroup_directory_find_in(place->controllers, place->path, &directory)) {
        return error_set(err, ERROR_BAD_ARGUMENT, "its control group %s is not mounted here",
                         place->path);
    }
    return has_it(filter, directory.id) || system_filter_add_cgroup(filter, &directory, err);
}

bool container_groups_add(struct system_filter *filter, const char *who, struct error *err)
{
    DIR *directory = opendir("/proc");
    struct cgroup_place place;
    bool found = false;
    bool ok = true;
    struct dirent *entry = NULL;
    while (ok && directory != NULL && (entry = readdir(directory)) != NULL) {
        bool is_process = isdigit((unsigned char)entry->d_name[0]) != 0;
        if (is_process && read_place(entry->d_name, &place) && is_called(&place, who)) {
            found = true;
            ok = add(filter, &place, err);
        }
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
    return ok && (found || error_set(err, ERROR_BAD_ARGUMENT,
                                     "no such container runs (give its name, or six digits or "
                                     "more of its id)"));
}
