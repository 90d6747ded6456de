// SPDX-License-Identifier: Apache-2.0
// Modules in an order that its owner keeps. It owns the list, not them. One thread.
#ifndef FLAME_PROF_SYMBOLS_BEAM_CODE_MODULE_LIST_H
#define FLAME_PROF_SYMBOLS_BEAM_CODE_MODULE_LIST_H

#include "symbols/beam/code_module.h"

#include <stdbool.h>
#include <stdint.h>

// A zeroed struct is an empty one.
struct code_module_list {
    struct code_module **modules;
    uint32_t cnt;
    uint32_t capacity;
};

void code_module_list_deinit(struct code_module_list *list);

// At `at` <= cnt. False when out of memory.
bool code_module_list_insert(struct code_module_list *list, uint32_t at,
                             struct code_module *module);
struct code_module *code_module_list_remove(struct code_module_list *list, uint32_t at);

// Position of the first module that ends behind `address`, of a list by address.
uint32_t code_module_list_position(const struct code_module_list *list, uint64_t address);

#endif
