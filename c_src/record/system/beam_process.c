// SPDX-License-Identifier: Apache-2.0
#include "record/system/beam_process.h"

#include <string.h>

// struct process of each release, tag-pinned in capture/beam/otp_layout.h. The walk
// believes none of it before it has checked it at each sample.
static const struct {
    uint32_t erts_major;
    struct unwind_beam_layout layout;
} KNOWN[] = {
    {13, {.stop = 88, .heap = 128, .htop = 80}}, // OTP 25
    {15, {.stop = 88, .heap = 192, .htop = 80}}, // OTP 27
    {17, {.stop = 88, .heap = 192, .htop = 80}}, // OTP 29
};

static bool ends_with(struct text text, const char *end)
{
    size_t len = strlen(end);
    return text.len >= len && memcmp(text.bytes + text.len - len, end, len) == 0;
}

// .../erts-13.1.5/bin/beam.smp
static uint32_t erts_major_of(struct text path)
{
    static const char MARK[] = "/erts-";
    const char *at = memmem(path.bytes, path.len, MARK, sizeof MARK - 1);
    uint32_t major = 0;
    if (at == NULL) {
        return 0;
    }
    for (at += sizeof MARK - 1; at < path.bytes + path.len && *at >= '0' && *at <= '9'; at++) {
        major = (major * 10 + (uint32_t)(*at - '0')) % 10000;
    }
    return major;
}

static bool is_beam(struct text path)
{
    return ends_with(path, "/beam.smp") || ends_with(path, "/beam.jit.smp");
}

struct beam_process beam_process_of(const struct process *process)
{
    struct beam_process beam = {.is_beam = false};
    for (uint32_t i = 0; i < process->maps.cnt && !beam.is_beam; i++) {
        struct text path = process_maps_path(&process->maps, &process->maps.mappings[i]);
        if (is_beam(path)) {
            beam.is_beam = true;
            beam.erts_major = erts_major_of(path);
        }
    }
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++) {
        if (beam.is_beam && KNOWN[i].erts_major == beam.erts_major) {
            beam.layout = KNOWN[i].layout;
        }
    }
    return beam;
}

// A memory file that it maps twice, or with +JPperf memory that is both written and
// executed.
bool beam_process_made(const struct process *process, const struct process_mapping *mapping)
{
    struct text path = process_maps_path(&process->maps, mapping);
    return mapping->kind == PROCESS_MAPPING_ANONYMOUS &&
           (path.len == 0 || text_equal(path, TEXT("/memfd:vmem")));
}
