// SPDX-License-Identifier: Apache-2.0
#include "capture/system/sampler_filter.h"

#include "sampler.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

_Static_assert((int)SYSTEM_FILTER_MAX_VALUES == (int)SAMPLER_MAX_FILTER_VALUES,
               "values of one kind");

static int enum_value(const struct btf *kernel, const char *type, const char *name)
{
    int id = btf__find_by_name_kind(kernel, type, BTF_KIND_ENUM);
    const struct btf_type *found = id < 0 ? NULL : btf__type_by_id(kernel, (uint32_t)id);
    for (int i = 0; found != NULL && i < btf_vlen(found); i++) {
        const struct btf_enum *entry = &btf_enum(found)[i];
        if (strcmp(btf__name_by_offset(kernel, entry->name_off), name) == 0) {
            return entry->val;
        }
    }
    return -1;
}

// The number of a v1 controller differs from kernel to kernel.
static bool controller_number(const char *controller, int *number_ret, struct error *err)
{
    char name[CGROUP_CONTROLLER_BYTES + 16];
    struct btf *kernel = btf__load_vmlinux_btf();
    if (kernel == NULL) {
        return error_os(err, errno, "read the kernel's BTF");
    }
    (void)snprintf(name, sizeof name, "%s_cgrp_id", controller);
    *number_ret = enum_value(kernel, "cgroup_subsys_id", name);
    btf__free(kernel);
    return *number_ret >= 0 || error_set(err, ERROR_UNSUPPORTED,
                                         "this kernel has no cgroup controller '%s'", controller);
}

bool sampler_filter_kinds(const struct system_filter *filter, uint32_t *kinds_ret,
                          int *subsystem_ret, struct error *err)
{
    uint32_t kinds = 0;
    int subsystem = -1;
    if (filter->cgroup_cnt > 0 && filter->cgroups[0].controller[0] != '\0' &&
        !controller_number(filter->cgroups[0].controller, &subsystem, err)) {
        return false;
    }
    kinds |= filter->thread_cnt > 0 ? (uint32_t)SAMPLER_FILTER_THREAD : 0;
    kinds |= filter->user_cnt > 0 ? (uint32_t)SAMPLER_FILTER_USER : 0;
    kinds |= filter->comm_cnt > 0 ? (uint32_t)SAMPLER_FILTER_COMM : 0;
    kinds |= filter->cgroup_cnt > 0 ? (uint32_t)SAMPLER_FILTER_CGROUP : 0;
    *kinds_ret = kinds;
    *subsystem_ret = subsystem;
    return true;
}

static bool add(const struct bpf_map *map, const void *key, size_t key_bytes, struct error *err)
{
    uint32_t one = 1;
    int result = bpf_map__update_elem(map, key, key_bytes, &one, sizeof one, BPF_ANY);
    return result == 0 || error_os(err, -result, "fill the filter %s", bpf_map__name(map));
}

static bool add_all(const struct bpf_map *map, const uint32_t *values, uint32_t cnt,
                    struct error *err)
{
    bool ok = true;
    for (uint32_t i = 0; i < cnt && ok; i++) {
        ok = add(map, &values[i], sizeof values[i], err);
    }
    return ok;
}

bool sampler_filter_fill(const struct system_filter *filter, const struct sampler_filter_maps *maps,
                         struct error *err)
{
    bool ok = add_all(maps->threads, filter->threads, filter->thread_cnt, err) &&
              add_all(maps->users, filter->users, filter->user_cnt, err);
    for (uint32_t i = 0; i < filter->comm_cnt && ok; i++) {
        ok = add(maps->comms, filter->comms[i], SYSTEM_COMM_BYTES, err);
    }
    for (uint32_t i = 0; i < filter->cgroup_cnt && ok; i++) {
        ok = add(maps->cgroups, &filter->cgroups[i].id, sizeof filter->cgroups[i].id, err);
    }
    return ok;
}
