// SPDX-License-Identifier: Apache-2.0
#include "record/system/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

// --- dropping -------------------------------------------------------------------

static uint64_t kept_capabilities(void)
{
    uint64_t kept = 0;
    for (size_t i = 0; i < sizeof CAPABILITIES / sizeof CAPABILITIES[0]; i++) {
        kept |= CAPABILITIES[i].bit == CAP_SYS_ADMIN ? 0 : 1ULL << CAPABILITIES[i].bit;
    }
    return kept;
}

static bool set_capabilities(uint64_t permitted, uint64_t effective)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {.permitted = (uint32_t)permitted, .effective = (uint32_t)effective},
        {.permitted = (uint32_t)(permitted >> 32), .effective = (uint32_t)(effective >> 32)},
    };
    return syscall(SYS_capset, &header, data) == 0;
}

// Where we may not, it is of no use anyway: nothing is executed any more.
static void shut_bounding_set(uint64_t kept)
{
    for (unsigned bit = 0; bit < 64; bit++) {
        if ((kept >> bit & 1) == 0) {
            (void)prctl(PR_CAPBSET_DROP, bit, 0, 0, 0);
        }
    }
}

bool privileges_drop(const char *directory, struct error *err)
{
    uint64_t before = effective_capabilities();
    uint64_t kept = before & kept_capabilities();
    uint64_t override = before & 1ULL << CAP_DAC_OVERRIDE;
    if (before == 0) {
        return true;
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return error_os(err, errno, "give up the right to gain rights");
    }
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    shut_bounding_set(kept | override);
    if (!set_capabilities(kept | override, kept)) {
        return error_os(err, errno, "give up capabilities");
    }
    if (faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) == 0) {
        override = 0;
    }
    return set_capabilities(kept | override, kept | override) ||
           error_os(err, errno, "give up capabilities");
}

bool privileges_host_pids(void)
{
    struct stat status;
    return stat("/proc/self/ns/pid", &status) != 0 || status.st_ino == HOST_PID_NAMESPACE_INODE;
}
