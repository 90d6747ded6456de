// SPDX-License-Identifier: Apache-2.0
#include "symbols/beam/code_module_list.h"

#include <stdlib.h>
#include <string.h>

void code_module_list_deinit(struct code_module_list *list)
{
    free(list->modules);
    *list = (struct code_module_list){0};
}

bool code_module_list_insert(struct code_module_list *list, uint32_t at, struct code_module *module)
{
    if (list->cnt == list->capacity) {
        uint32_t capacity = list->capacity == 0 ? 256 : list->capacity * 2;
        struct code_module **modules =
            realloc(list->modules, capacity * sizeof(struct code_module *));
        if (modules == NULL) {
            return false;
        }
        list->modules = modules;
        list->capacity = capacity;
    }
    memmove(&list->modules[at + 1], &list->modules[at],
            (list->cnt - at) * sizeof(struct code_module *));
    list->modules[at] = module;
    list->cnt++;
    return true;
}

struct code_module *code_module_list_remove(struct code_module_list *list, uint32_t at)
{
    struct code_module *module = list->modules[at];
    list->cnt--;
    memmove(&list->modules[at], &list->modules[at + 1],
            (list->cnt - at) * sizeof(struct code_module *));
    return module;
}

uint32_t code_module_list_position(const struct code_module_list *list, uint64_t address)
{
    uint32_t low = 0;
    uint32_t high = list->cnt;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (list->modules[middle]->end <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}
