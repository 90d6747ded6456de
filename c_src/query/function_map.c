// SPDX-License-Identifier: Apache-2.0
#include "query/function_map.h"

#include <stdlib.h>

bool function_map_init(struct function_map *map, const struct profile_dictionary *dictionary)
{
    struct number_map ids = {0};
    *map = (struct function_map){.is_identity = true};
    map->of_frame = malloc(((size_t)dictionary->frame_cnt + 1) * sizeof *map->of_frame);
    bool ok = map->of_frame != NULL;
    if (ok) {
        map->of_frame[0] = 0;
    }
    for (frame_id i = 1; i < dictionary->frame_cnt && ok; i++) {
        const struct profile_frame *frame = &dictionary->frames[i];
        uint64_t key = (uint64_t)frame->name << 32 | frame->file;
        frame_id first = number_map_find(&ids, key);
        if (first == 0) {
            first = i;
            ok = number_map_add(&ids, key, i);
        } else {
            map->is_identity = false;
        }
        map->of_frame[i] = first;
    }
    number_map_deinit(&ids);
    return ok;
}

void function_map_deinit(struct function_map *map)
{
    free(map->of_frame);
    *map = (struct function_map){.of_frame = NULL};
}
