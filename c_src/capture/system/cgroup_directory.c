// SPDX-License-Identifier: Apache-2.0
#include "capture/system/cgroup_directory.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { LINE_BYTES = 4096 };

// One mount of a hierarchy, of /proc/self/mountinfo.
struct cgroup_mount {
    dev_t device;
    char at[PATH_MAX];
    char controller[CGROUP_CONTROLLER_BYTES]; // the first one; "" = v2
    char options[256];                        // of the super block: all controllers
};

static const char *const NO_CONTROLLERS[] = {"rw",      "ro",        "xattr",         "noprefix",
                                             "name=",   "clone_chi", "release_agent", "nsdelegate",
                                             "memory_", "pids_",     "favordynmods"};

static bool is_controller(const char *option)
{
    for (size_t i = 0; i < sizeof NO_CONTROLLERS / sizeof NO_CONTROLLERS[0]; i++) {
        if (strncmp(option, NO_CONTROLLERS[i], strlen(NO_CONTROLLERS[i])) == 0) {
            return false;
        }
    }
    return option[0] != '\0';
}

static void take_controller(struct cgroup_mount *mount)
{
    char copy[sizeof mount->options];
    (void)snprintf(copy, sizeof copy, "%s", mount->options);
    char *rest = copy;
    for (char *option = strsep(&rest, ","); option != NULL; option = strsep(&rest, ",")) {
        if (is_controller(option) && strlen(option) < sizeof mount->controller) {
            (void)snprintf(mount->controller, sizeof mount->controller, "%.31s", option);
            return;
        }
    }
}

// `36 35 0:31 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory`
static bool parse_mount(const char *line, struct cgroup_mount *mount)
{
    unsigned major_no = 0;
    unsigned minor_no = 0;
    char type[16] = "";
    const char *behind = strstr(line, " - ");
    memset(mount, 0, sizeof *mount);
    if (behind == NULL || sscanf(behind, " - %15s %*s %255s", type, mount->options) != 2 ||
        sscanf(line, "%*u %*u %u:%u %*s %4095s", &major_no, &minor_no, mount->at) != 3) {
        return false;
    }
    mount->device = makedev(major_no, minor_no);
    if (strcmp(type, "cgroup2") == 0) {
        return true;
    }
    take_controller(mount);
    return strcmp(type, "cgroup") == 0 && mount->controller[0] != '\0';
}

static void fill(const struct cgroup_mount *mount, const struct stat *status,
                 struct cgroup_directory *directory)
{
    directory->id = status->st_ino;
    (void)snprintf(directory->controller, sizeof directory->controller, "%s", mount->controller);
}

static bool is_inside(const struct cgroup_mount *mount, const char *path,
                      struct cgroup_directory *directory_ret)
{
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode) || status.st_dev != mount->device) {
        return false;
    }
    fill(mount, &status, directory_ret);
    return true;
}

static bool is_under(const struct cgroup_mount *mount, const char *path,
                     struct cgroup_directory *directory_ret)
{
    char whole[2 * PATH_MAX];
    (void)snprintf(whole, sizeof whole, "%s/%s", mount->at, path);
    return is_inside(mount, whole, directory_ret);
}

// Whether a hierarchy is that of a line of /proc/PID/cgroup.
static bool is_of(const struct cgroup_mount *mount, const char *controllers)
{
    if (controllers[0] == '\0' || mount->controller[0] == '\0') {
        return controllers[0] == mount->controller[0];
    }
    size_t len = strlen(mount->controller);
    for (const char *at = controllers; at != NULL; at = strchr(at, ',')) {
        at += *at == ',' ? 1 : 0;
        if (strncmp(at, mount->controller, len) == 0 && (at[len] == ',' || at[len] == '\0')) {
            return true;
        }
    }
    return false;
}

// How a hierarchy is preferred where a path is in several.
static int rank(const struct cgroup_mount *mount)
{
    return mount->controller[0] == '\0' ? 3 : strcmp(mount->controller, "memory") == 0 ? 2 : 1;
}

// The best hierarchy that has `path`; `controllers` NULL: any.
static bool find(const char *controllers, const char *path, struct cgroup_directory *directory_ret)
{
    char line[LINE_BYTES];
    struct cgroup_mount mount;
    struct cgroup_directory found = {0};
    int best = 0;
    FILE *file = fopen("/proc/self/mountinfo", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (!parse_mount(line, &mount) || rank(&mount) <= best ||
            (controllers != NULL && !is_of(&mount, controllers))) {
            continue;
        }
        if ((path[0] == '/' && is_inside(&mount, path, &found)) || is_under(&mount, path, &found)) {
            best = rank(&mount);
            *directory_ret = found;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return best > 0;
}

bool cgroup_directory_find(const char *path, struct cgroup_directory *directory_ret,
                           struct error *err)
{
    return find(NULL, path, directory_ret) ||
           error_set(err, ERROR_BAD_ARGUMENT,
                     "%s: no control group of that path in a mounted hierarchy with a controller",
                     path);
}

bool cgroup_directory_find_in(const char *controllers, const char *path,
                              struct cgroup_directory *directory_ret)
{
    return find(controllers, path, directory_ret);
}

const char *cgroup_directory_hierarchy(const struct cgroup_directory *directory)
{
    return directory->controller[0] == '\0' ? "cgroup v2" : directory->controller;
}
