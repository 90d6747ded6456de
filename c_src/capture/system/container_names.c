// SPDX-License-Identifier: Apache-2.0
#include "capture/system/container_names.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LOGS = 65536, MAX_FILE_BYTES = 1 << 20 };

// POD_NAMESPACE_CONTAINER-ID.log; none of the names may have an underscore.
static bool of_log(const char *file, const char *id, struct container_name *name)
{
    const char *first = strchr(file, '_');
    const char *second = first == NULL ? NULL : strchr(first + 1, '_');
    const char *at = second == NULL ? NULL : strstr(second, id);
    if (at == NULL || at[-1] != '-' || strcmp(at + strlen(id), ".log") != 0) {
        return false;
    }
    (void)snprintf(name->pod, sizeof name->pod, "%.*s", (int)(first - file), file);
    (void)snprintf(name->namespace, sizeof name->namespace, "%.*s", (int)(second - first - 1),
                   first + 1);
    (void)snprintf(name->container, sizeof name->container, "%.*s", (int)(at - second - 2),
                   second + 1);
    return true;
}

static bool find_log(const char *root, const char *id, struct container_name *name)
{
    char path[PATH_MAX];
    bool found = false;
    (void)snprintf(path, sizeof path, "%s/var/log/containers", root);
    DIR *directory = opendir(path);
    if (directory == NULL) {
        return false;
    }
    struct dirent *entry = NULL;
    for (int i = 0; i < MAX_LOGS && !found && (entry = readdir(directory)) != NULL; i++) {
        found = of_log(entry->d_name, id, name);
    }
    (void)closedir(directory);
    return found;
}

// A whole file, NUL-terminated, at most MAX_FILE_BYTES of it; NULL when there is none.
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = file == NULL ? NULL : malloc(MAX_FILE_BYTES + 1);
    if (text != NULL) {
        text[fread(text, 1, MAX_FILE_BYTES, file)] = '\0';
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return text;
}

// A string that stands behind `key`; one with escapes is nobody's name.
static bool string_behind(const char *text, const char *key, struct container_name *name)
{
    const char *at = strstr(text, key);
    if (at == NULL) {
        return false;
    }
    at += strlen(key);
    at += *at == '/' ? 1 : 0; // Docker's names begin with one
    size_t len = strcspn(at, "\"\\");
    if (at[len] != '"' || len == 0 || len >= sizeof name->container) {
        return false;
    }
    (void)snprintf(name->container, sizeof name->container, "%.*s", (int)len, at);
    return true;
}

static bool find_docker(const char *root, const char *id, struct container_name *name)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s/var/lib/docker/containers/%s/config.v2.json", root, id);
    char *text = read_file(path);
    bool found = text != NULL && string_behind(text, "\"Name\":\"", name);
    free(text);
    return found;
}

// [{"id":"...","names":["web"],...},...]
static bool find_podman(const char *root, const char *id, struct container_name *name)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path,
                   "%s/var/lib/containers/storage/overlay-containers/containers.json", root);
    char *text = read_file(path);
    const char *at = text == NULL ? NULL : strstr(text, id);
    bool found = at != NULL && string_behind(at, "\"names\":[\"", name);
    free(text);
    return found;
}

bool container_names_find(const char *root, const char *id, struct container_name *name_ret)
{
    struct container_name name = {0};
    if (id[0] == '\0' || strchr(id, '/') != NULL) {
        return false;
    }
    if (!find_log(root, id, &name) && !find_docker(root, id, &name) &&
        !find_podman(root, id, &name)) {
        return false;
    }
    *name_ret = name;
    return true;
}
