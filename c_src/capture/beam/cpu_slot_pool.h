// SPDX-License-Identifier: Apache-2.0
// The slots that the signal handler writes to. They are never freed, as a signal may be
// under way when its timer is gone, but lent to one sampler after the other, each with
// slots of its own: an earlier one, which frees its rings late, has nothing to do with
// those of its successor. Any thread.
#ifndef FLAME_PROF_CAPTURE_BEAM_CPU_SLOT_POOL_H
#define FLAME_PROF_CAPTURE_BEAM_CPU_SLOT_POOL_H

#include "capture/beam/cpu_slot.h"

#include <stdbool.h>
#include <stdint.h>

enum { CPU_SLOT_POOL_CNT = 4096 };

// `cnt` slots in a row, zeroed. NULL when there are not so many left, or no memory.
struct cpu_slot *cpu_slot_pool_take(uint32_t cnt);
// What take has given, disarmed, and with nothing in it that is still needed.
void cpu_slot_pool_give_back(struct cpu_slot *slots, uint32_t cnt);

// Is it a slot at all? For the handler.
bool cpu_slot_pool_has(const struct cpu_slot *slot);

#endif
