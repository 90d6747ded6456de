// SPDX-License-Identifier: Apache-2.0
#include "record/system/beam_process.h"

#include <stdio.h>
#include <stdlib.h>
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
    return text_ends_with(path, TEXT("/beam.smp")) || text_ends_with(path, TEXT("/beam.jit.smp"));
}

bool beam_process_is_program(const struct process *process, const struct process_mapping *mapping)
{
    return is_beam(process_maps_path(&process->maps, mapping));
}

const struct process_mapping *beam_process_program(const struct process *process)
{
    for (uint32_t i = 0; i < process->maps.cnt; i++) {
        if (beam_process_is_program(process, &process->maps.mappings[i])) {
            return &process->maps.mappings[i];
        }
    }
    return NULL;
}

struct beam_process beam_process_of(const struct process *process)
{
    struct beam_process beam = {.is_beam = false};
    const struct process_mapping *program = beam_process_program(process);
    if (program != NULL) {
        beam.is_beam = true;
        beam.erts_major = erts_major_of(process_maps_path(&process->maps, program));
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

// --- pids -----------------------------------------------------------------------------

enum { PID_SHIFT = 4, MIN_TABLE_BITS = 10, MAX_TABLE_BITS = 27, LINE_BITS = 3 };

static uint32_t bits_of(unsigned long slot_cnt)
{
    uint32_t bits = MIN_TABLE_BITS;
    while (bits < MAX_TABLE_BITS && 1UL << bits < slot_cnt) {
        bits++;
    }
    return bits;
}

// What follows the last `-P`; 0 when it is not given, or not a number.
static unsigned long table_size_option(uint32_t pid)
{
    char path[32];
    char *word = NULL;
    size_t word_bytes = 0;
    unsigned long size = 0;
    bool is_next = false;
    (void)snprintf(path, sizeof path, "/proc/%u/cmdline", pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && getdelim(&word, &word_bytes, '\0', file) > 0) {
        if (strcmp(word, "--") == 0) {
            break; // the emulator's own flags end here
        }
        if (is_next) {
            size = strtoul(word, NULL, 10);
        }
        is_next = strcmp(word, "-P") == 0;
    }
    free(word);
    if (file != NULL) {
        (void)fclose(file);
    }
    return size;
}

struct beam_pid_encoding beam_process_pid_encoding(const struct process *process)
{
    enum { DEFAULT_SIZE = 262144, DEFAULT_SIZE_FROM_27 = 1048576 };
    struct beam_process beam = beam_process_of(process);
    unsigned long size = table_size_option(process->pid);
    if (size == 0) {
        size = beam.erts_major >= 15 ? DEFAULT_SIZE_FROM_27 : DEFAULT_SIZE;
    }
    return (struct beam_pid_encoding){
        .is_rotated = beam.erts_major >= 14,
        .table_bits = bits_of(size),
    };
}

bool beam_process_told_encoding(const struct layout_file *told, struct beam_pid_encoding *encoding)
{
    uint32_t bits = bits_of(told->slot_cnt);
    if (told->erts_major == 0 || told->slot_cnt != 1U << bits) {
        return false;
    }
    *encoding = (struct beam_pid_encoding){told->erts_major >= 14, bits};
    return true;
}

bool beam_process_told_layout(const struct layout_file *told, struct unwind_beam_layout *layout)
{
    if (told->stop == 0 || told->heap == 0 || told->htop == 0) {
        return false;
    }
    *layout = (struct unwind_beam_layout){
        .stop = (uint16_t)told->stop,
        .heap = (uint16_t)told->heap,
        .htop = (uint16_t)told->htop,
    };
    return true;
}

uint32_t beam_process_number(const struct beam_pid_encoding *encoding, uint64_t pid_term)
{
    uint32_t data = (uint32_t)pid_term >> PID_SHIFT;
    if (!encoding->is_rotated) {
        return data;
    }
    uint32_t mask = (1U << encoding->table_bits) - 1;
    uint32_t slot = data & mask;
    return (data & ~mask) | slot >> LINE_BITS |
           (slot & ((1U << LINE_BITS) - 1)) << (encoding->table_bits - LINE_BITS);
}
