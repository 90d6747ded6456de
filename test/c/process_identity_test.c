// SPDX-License-Identifier: Apache-2.0
#include "capture/system/process_identity.h"

#include "symbols/system/go_binary.h"
#include "test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *runtime(const char *program, const char *maps)
{
    const char *name = process_identity_runtime(program, maps);
    return name == NULL ? "?" : name;
}

TEST(runtimes_by_the_program)
{
    CHECK_STR(runtime("beam.smp", NULL), "beam");
    CHECK_STR(runtime("beam.debug.smp", NULL), "beam");
    CHECK_STR(runtime("node", NULL), "node");
    CHECK_STR(runtime("nodejs", NULL), "node");
    CHECK_STR(runtime("python3.11", NULL), "python");
    CHECK_STR(runtime("java", NULL), "java");
    CHECK_STR(runtime("php-fpm8.2", NULL), "php");
    CHECK_STR(runtime("perl5.36.0", NULL), "perl");
    CHECK_STR(runtime("nodetool", NULL), "?");
    CHECK_STR(runtime("javac", NULL), "?");
    CHECK_STR(runtime("beamer", NULL), "?");
    CHECK_STR(runtime("cc1plus", NULL), "?");
    CHECK_STR(runtime("", NULL), "?");
}

TEST(runtimes_by_a_library)
{
    CHECK_STR(runtime("", "7f0-7f1 r-xp 0 8:1 7 /opt/jdk/lib/server/libjvm.so\n"), "java");
    CHECK_STR(runtime("", "7f0-7f1 r-xp 0 8:1 7 /usr/lib/libpython3.11.so.1.0\n"), "python");
    CHECK_STR(runtime("", "7f0-7f1 r-xp 0 8:1 7 /usr/lib/libc.so.6\n"), "?");
}

TEST(variables_of_an_environment)
{
    static const char ENVIRON[] = "A=1\0PATHS=no\0PATH=/bin:/usr/bin\0EMPTY=\0LAST=x=y";
    char value[16] = "old";
    CHECK(process_identity_variable(ENVIRON, sizeof ENVIRON - 1, "PATH", value, sizeof value));
    CHECK_STR(value, "/bin:/usr/bin");
    CHECK(process_identity_variable(ENVIRON, sizeof ENVIRON - 1, "EMPTY", value, sizeof value));
    CHECK_STR(value, "");
    CHECK(process_identity_variable(ENVIRON, sizeof ENVIRON - 1, "LAST", value, sizeof value));
    CHECK_STR(value, "x=y");
    CHECK(!process_identity_variable(ENVIRON, sizeof ENVIRON - 1, "PAT", value, sizeof value));
    CHECK(!process_identity_variable("", 0, "PATH", value, sizeof value));
    CHECK(process_identity_variable("LONG=0123456789abcdefgh", 23, "LONG", value, sizeof value));
    CHECK_STR(value, "0123456789abcde");
}

TEST(ourselves)
{
    static const char *const NAMES[] = {"FLAME_PROF_IDENTITY_TEST", "NO_SUCH_VARIABLE"};
    struct process_identity identity;
    CHECK(setenv("FLAME_PROF_IDENTITY_TEST", "of the start", 1) == 0);
    CHECK(process_identity_read((uint32_t)getpid(), NAMES, 2, &identity));
    CHECK_HAS(identity.program, "process_identit");
    CHECK_HAS(identity.command, "process_identity_test");
    CHECK(identity.has_status);
    CHECK_UINT(identity.user, getuid());
    CHECK(identity.inner_pid != 0);
    CHECK_STR(identity.variables[1], "");
}

TEST(a_process_that_is_gone)
{
    struct process_identity identity;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(0);
    }
    CHECK(waitpid(pid, NULL, 0) == pid);
    CHECK(!process_identity_read((uint32_t)pid, NULL, 0, &identity));
    CHECK_STR(identity.program, "");
    CHECK(!identity.has_status);
}

TEST(a_binary_of_go_is_told_by_its_sections)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK(!go_binary_is(fd)); // made by a C compiler
    CHECK(close(fd) == 0);
    fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    CHECK(!go_binary_is(fd)); // no ELF file
    CHECK(close(fd) == 0);
}
