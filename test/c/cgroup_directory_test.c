// SPDX-License-Identifier: Apache-2.0
// Control groups of the machine that the tests run on, whichever it has.
#include "capture/system/cgroup_directory.h"

#include "capture/system/system_filter.h"
#include "test.h"

#include <sys/stat.h>

// The root of some hierarchy with an id, by the mounts that are here.
static bool some_root(char path[256], char type[16])
{
    char line[1024];
    bool found = false;
    FILE *file = fopen("/proc/mounts", "re");
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
        found = sscanf(line, "%*s %255s %15s", path, type) == 2 &&
                (strcmp(type, "cgroup2") == 0 ||
                 (strcmp(type, "cgroup") == 0 && strstr(line, "memory") != NULL));
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return found;
}

TEST(a_directory_of_a_hierarchy_is_a_group)
{
    char path[256] = "";
    char type[16] = "";
    struct cgroup_directory directory;
    struct stat status;
    if (!some_root(path, type)) {
        return; // no hierarchy is mounted here: nothing to find
    }
    CHECK(cgroup_directory_find(path, &directory, NULL));
    CHECK(stat(path, &status) == 0);
    CHECK_UINT(directory.id, status.st_ino);
    CHECK_STR(directory.controller, strcmp(type, "cgroup2") == 0 ? "" : "memory");
    CHECK(cgroup_directory_find_in(directory.controller, "/", &directory));
    CHECK_UINT(directory.id, status.st_ino);
}

TEST(other_directories_are_none)
{
    struct cgroup_directory directory;
    struct error err = {0};
    CHECK(!cgroup_directory_find("/proc", &directory, &err));
    CHECK_HAS(err.detail, "no control group");
    CHECK(!cgroup_directory_find("no/such/group", &directory, &err));
    CHECK(!cgroup_directory_find_in("name=systemd", "/no/such", &directory));
}

TEST(one_hierarchy_at_a_time)
{
    static struct system_filter filter;
    struct error err = {0};
    struct cgroup_directory v2 = {.id = 7};
    struct cgroup_directory v1 = {.id = 8, .controller = "memory"};
    CHECK(system_filter_add_cgroup(&filter, &v2, &err));
    CHECK(!system_filter_add_cgroup(&filter, &v1, &err));
    CHECK_HAS(err.detail, "cgroup v2 and memory are two");
    CHECK(system_filter_add_cgroup(&filter, &v2, &err));
    CHECK_UINT(filter.cgroup_cnt, 2);
}

TEST(a_filter_is_bounded)
{
    static struct system_filter filter;
    struct error err = {0};
    for (uint32_t i = 0; i < SYSTEM_FILTER_MAX_VALUES; i++) {
        CHECK(system_filter_add_thread(&filter, i + 1, &err));
    }
    CHECK(!system_filter_add_thread(&filter, 1, &err));
    CHECK_HAS(err.detail, "at most 256 threads");
}
