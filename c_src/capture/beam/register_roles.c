// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/register_roles.h"

const struct register_roles REGISTER_ROLES_KNOWN = {{
#define REGISTER_ROLE_NUMBER(id, name, at) [id] = (at),
    REGISTER_ROLES(REGISTER_ROLE_NUMBER)
#undef REGISTER_ROLE_NUMBER
}};

const char *register_role_name(enum register_role role)
{
    static const char *const NAMES[] = {
#define REGISTER_ROLE_NAME(id, name, at) [id] = (name),
        REGISTER_ROLES(REGISTER_ROLE_NAME)
#undef REGISTER_ROLE_NAME
    };
    return (unsigned)role < REGISTER_ROLE_CNT ? NAMES[role] : "unknown";
}

static uint64_t field(const struct otp_layout *layout, const struct cpu_sample *sample,
                      enum layout_field field)
{
    return sample->words[layout->offset[field] / 8];
}

// Its stored top is no bound: what C code took and gave back may still be told there.
static bool is_above_heap(const struct otp_layout *layout, const struct cpu_sample *sample,
                          uint64_t heap_top, uint64_t stack)
{
    return heap_top >= field(layout, sample, LAYOUT_HEAP) && heap_top < stack &&
           stack <= field(layout, sample, LAYOUT_HEND) && heap_top % 8 == 0 && stack % 8 == 0;
}

enum register_verdict register_roles_check_code(const struct register_roles *roles,
                                                const struct otp_layout *layout,
                                                const struct cpu_sample *sample)
{
    if (sample->mode != CPU_MODE_ERLANG && sample->mode != CPU_MODE_NATIVE) {
        return REGISTERS_SAY_NOTHING;
    }
    const uint64_t *registers = sample->registers;
    uint64_t rsp = registers[CPU_REGISTER_RSP];
    bool inside =
        rsp >= field(layout, sample, LAYOUT_HEAP) && rsp <= field(layout, sample, LAYOUT_HEND);
    if (sample->mode == CPU_MODE_NATIVE) {
        return inside ? REGISTERS_CONTRADICT : REGISTERS_SAY_NOTHING;
    }
    if (registers[roles->number[REGISTER_ROLE_PROCESS]] != sample->process || !inside ||
        rsp % 8 != 0 || registers[roles->number[REGISTER_ROLE_STACK]] != rsp) {
        return REGISTERS_CONTRADICT;
    }
    uint64_t heap_top = registers[roles->number[REGISTER_ROLE_HEAP_TOP]];
    return is_above_heap(layout, sample, heap_top, rsp) ? REGISTERS_AGREE : REGISTERS_SAY_NOTHING;
}

enum register_verdict register_roles_check_call(const struct register_roles *roles,
                                                const struct otp_layout *layout,
                                                const struct cpu_sample *sample,
                                                const uint64_t caller[CPU_REGISTER_CNT])
{
    if (sample->mode != CPU_MODE_NATIVE || sample->stack_top != STACK_TOP_SAVED) {
        return REGISTERS_SAY_NOTHING;
    }
    uint64_t stack = caller[roles->number[REGISTER_ROLE_SAVED_STACK]];
    uint64_t heap_top = caller[roles->number[REGISTER_ROLE_HEAP_TOP]];
    return is_above_heap(layout, sample, heap_top, stack) && stack >= sample->erlang_top
               ? REGISTERS_AGREE
               : REGISTERS_CONTRADICT;
}
