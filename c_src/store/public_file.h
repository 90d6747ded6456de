// SPDX-License-Identifier: Apache-2.0
// A whole file for other programs, in a directory into which everybody may write
// (/tmp/perf-PID.map). It appears complete, by renaming; its name is never
// followed where somebody else has put something under it. Any thread.
#ifndef FLAME_PROF_STORE_PUBLIC_FILE_H
#define FLAME_PROF_STORE_PUBLIC_FILE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum { PUBLIC_FILE_NAME_BYTES = 128 };

// Readable by all, writable by us. `name` is [A-Za-z0-9._-]+. Refused when under
// that name there is anything but a regular file of our own user, and when others
// could replace the file (a directory that all may write, without sticky bit).
// On failure what was there stays.
bool public_file_replace(const char *directory, const char *name, const void *bytes, size_t len,
                         struct error *err);

// What is not there is no error; what is not ours stays, and is one.
bool public_file_remove(const char *directory, const char *name, struct error *err);

#endif
