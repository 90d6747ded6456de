// SPDX-License-Identifier: Apache-2.0
// Frames as functions: those with the same name and file are one, whatever the line.
// One owner; any number of threads may read it.
#ifndef FLAME_PROF_QUERY_FUNCTION_MAP_H
#define FLAME_PROF_QUERY_FUNCTION_MAP_H

#include "model/profile.h"

struct function_map {
    frame_id *of_frame; // by frame: the first frame of the same function; [0] = 0
    bool is_identity;   // no two frames are of one function
};

// False when out of memory; _deinit is harmless either way.
bool function_map_init(struct function_map *map, const struct profile_dictionary *dictionary);
void function_map_deinit(struct function_map *map);

#endif
