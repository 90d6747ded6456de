// SPDX-License-Identifier: Apache-2.0
// What tests of output files look at: names in a directory, contents, gzip as
// gunzip(1) understands it.
#ifndef FLAME_PROF_TEST_FILE_TREE_H
#define FLAME_PROF_TEST_FILE_TREE_H

#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_NAMES_MAX = 256, FILE_TEXT_MAX = 8 << 20 };

struct file_names {
    unsigned cnt;
    char names[FILE_NAMES_MAX][256]; // sorted
};

static inline int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static inline void list_files(const char *directory, struct file_names *names)
{
    DIR *open_directory = opendir(directory);
    const struct dirent *entry;
    names->cnt = 0;
    while (open_directory != NULL && (entry = readdir(open_directory)) != NULL) {
        bool dots = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        if (!dots && names->cnt < FILE_NAMES_MAX) {
            snprintf(names->names[names->cnt++], sizeof names->names[0], "%s", entry->d_name);
        }
    }
    if (open_directory != NULL) {
        closedir(open_directory);
    }
    qsort(names->names, names->cnt, sizeof names->names[0], compare_names);
}

static inline const char *path_of(const char *directory, const char *name)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static inline bool file_exists(const char *directory, const char *name)
{
    struct stat status;
    return lstat(path_of(directory, name), &status) == 0;
}

static inline uint64_t file_size(const char *directory, const char *name)
{
    struct stat status = {0};
    (void)stat(path_of(directory, name), &status);
    return (uint64_t)status.st_size;
}

static inline void make_file(const char *directory, const char *name, const char *text)
{
    FILE *file = fopen(path_of(directory, name), "we");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0) {
        TEST_FAIL("cannot make %s/%s", directory, name);
    }
}

static inline void remove_file(const char *directory, const char *name)
{
    (void)unlink(path_of(directory, name));
}

static inline void remove_tree(const char *directory)
{
    nftw(directory, test_remove, 16, FTW_DEPTH | FTW_PHYS);
}

// Valid until the next call.
static inline const char *file_text(const char *directory, const char *name)
{
    static char text[FILE_TEXT_MAX];
    FILE *file = fopen(path_of(directory, name), "re");
    if (file == NULL) {
        TEST_FAIL("cannot open %s/%s", directory, name);
    }
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

// What gunzip makes of the file's first `bytes` (0 = all). A complaint of gunzip
// fails the test. The caller frees.
static inline char *gunzipped(const char *directory, const char *name, uint64_t bytes)
{
    char command[1200];
    snprintf(command, sizeof command, "head -c %llu '%s' | gunzip -c 2>&1 && echo ok",
             bytes == 0 ? 1ULL << 40 : (unsigned long long)bytes, path_of(directory, name));
    FILE *pipe = popen(command, "re");
    char *text = malloc(FILE_TEXT_MAX);
    if (pipe == NULL || text == NULL) {
        TEST_FAIL("cannot run gunzip");
    }
    size_t len = fread(text, 1, FILE_TEXT_MAX - 1, pipe);
    text[len] = '\0';
    pclose(pipe);
    if (len < 3 || strcmp(text + len - 3, "ok\n") != 0) {
        snprintf(command, sizeof command, "%.200s", text);
        free(text);
        TEST_FAIL("gunzip %s: %s", name, command);
    }
    text[len - 3] = '\0';
    return text;
}

#endif
