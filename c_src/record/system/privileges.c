// SPDX-License-Identifier: Apache-2.0
#include "record/system/privileges.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// include/linux/proc_ns.h, PROC_PID_INIT_INO: constant since 3.8.
#define HOST_PID_NAMESPACE_INODE 0xEFFFFFFCU

static const struct {
    unsigned bit;
    const char *name;
} CAPABILITIES[] = {
    {39, "cap_bpf"},
    {38, "cap_perfmon"},
    {21, "cap_sys_admin"},
    {19, "cap_sys_ptrace"},
    {34, "cap_syslog"},
    {2, "cap_dac_read_search"},
    {40, "cap_checkpoint_restore"},
};

static uint64_t effective_capabilities(void)
{
    char line[256];
    uint64_t bits = 0;
    FILE *file = fopen("/proc/self/status", "re");
    if (file == NULL) {
        return 0;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "CapEff:", 7) == 0) {
            bits = strtoull(line + 7, NULL, 16);
        }
    }
    (void)fclose(file);
    return bits;
}

void privileges_describe(char *text, size_t text_bytes)
{
    uint64_t bits = effective_capabilities();
    size_t used = (size_t)snprintf(text, text_bytes, "uid %u,", geteuid());
    bool any = false;
    for (size_t i = 0; i < sizeof CAPABILITIES / sizeof CAPABILITIES[0]; i++) {
        if ((bits >> CAPABILITIES[i].bit & 1) != 0 && used < text_bytes) {
            used += (size_t)snprintf(text + used, text_bytes - used, " %s", CAPABILITIES[i].name);
            any = true;
        }
    }
    if (!any && used < text_bytes) {
        (void)snprintf(text + used, text_bytes - used, " none");
    }
}

bool privileges_host_pids(void)
{
    struct stat status;
    return stat("/proc/self/ns/pid", &status) != 0 || status.st_ino == HOST_PID_NAMESPACE_INODE;
}
