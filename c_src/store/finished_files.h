// SPDX-License-Identifier: Apache-2.0
// The other files of a series in its directory: finished ones, of which only the newest
// are kept, and those that a killed writer left. Only files of the series's own naming
// are touched. Writer's thread.
#ifndef FLAME_PROF_STORE_FINISHED_FILES_H
#define FLAME_PROF_STORE_FINISHED_FILES_H

#include "store/file_series.h"

// Deletes the oldest until the series keeps to its limits; the newest one stays.
void finished_files_prune(const struct file_series *series);

// Gives hidden files of dead writers their names; a file that is being written is
// known by its writer's lock. Empty ones are removed.
void finished_files_adopt(const struct file_series *series);

#endif
