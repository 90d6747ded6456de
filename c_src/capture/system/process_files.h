// SPDX-License-Identifier: Apache-2.0
// Opens files of another process as that process sees them: after they were
// deleted, in its mount namespace, inside its root. Never follows a link out of
// that root, never opens anything but a regular file. Any thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_PROCESS_FILES_H
#define FLAME_PROF_CAPTURE_SYSTEM_PROCESS_FILES_H

#include "capture/system/process_maps.h"

#include <stdbool.h>
#include <stdint.h>

// What makes a file this file: an inode number alone is reused within a second by
// programs that are built, run and deleted.
struct process_file_identity {
    uint64_t dev;
    uint64_t inode;
    uint64_t size;
    int64_t changed_s;
    int64_t changed_ns;
};

// Of a process that is known to be gone `pid` is 0: nothing is looked for in /proc.

// Of the mapped file. False when it cannot be looked at.
bool process_files_identify(uint32_t pid, const struct process_mapping *mapping, struct text path,
                            struct process_file_identity *identity);

// The mapped file: through /proc/PID/map_files, else by its path if the inode is
// still that one. A read-only descriptor of the caller's, or -1.
int process_files_open_mapping(uint32_t pid, const struct process_mapping *mapping,
                               struct text path);

// A file by its absolute path inside the root of `pid`. A descriptor, or -1.
int process_files_open(uint32_t pid, const char *path);

// A file by its absolute path in our own root, if the inode is that one (0: any).
// A descriptor, or -1.
int process_files_open_here(struct text path, uint64_t inode);

// The executable of `pid`, also when it was deleted. A descriptor, or -1.
int process_files_open_program(uint32_t pid);

// The id that `pid` has in its innermost pid namespace. False when it is gone.
bool process_files_inner_pid(uint32_t pid, uint32_t *inner_pid);

// The user that `pid` runs as. False when it is gone.
bool process_files_owner(uint32_t pid, uint32_t *uid);

// May what `fd` says about `pid` be believed? /tmp is everybody's: only a file of the
// process's own user, or of root.
bool process_files_is_trusted(int fd, uint32_t pid);

// When `pid` began, as field 22 of its stat has it. False when it is gone.
bool process_files_start_ticks(uint32_t pid, uint64_t *ticks);

#endif
