// SPDX-License-Identifier: Apache-2.0
// Asks the kernel for the executable mappings of a process one by one, so that it makes no text,
// and none of all the others. Linux 6.11 and later (PROCMAP_QUERY of
// https://github.com/torvalds/linux/blob/v6.11/include/uapi/linux/fs.h). Any thread.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_MAPS_QUERY_H
#define FLAME_PROF_CAPTURE_SYSTEM_MAPS_QUERY_H

#include "capture/system/process_maps.h"

enum maps_query_result {
    MAPS_QUERY_WHOLE,
    MAPS_QUERY_GONE,    // the process has no memory any more
    MAPS_QUERY_REFUSED, // this kernel cannot, or not of this process: its text is to be read
};

// Appends the mappings of the process whose /proc/PID/maps `fd` is, which stays open. Unless
// WHOLE what was appended is not to be used.
enum maps_query_result maps_query_read(int fd, struct process_maps *maps);

#endif
