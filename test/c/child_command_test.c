// SPDX-License-Identifier: Apache-2.0
#include "cli/child_command.h"

#include "test.h"

#include <signal.h>
#include <unistd.h>

static struct child_command child;
static struct error err;

static bool run(const char *script)
{
    char *argv[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, (char *)(uintptr_t)script, NULL};
    return child_command_prepare(&child, argv, &err) && child_command_go(&child, argv[0], &err);
}

TEST(the_exit_code_is_the_commands)
{
    CHECK(run("exit 7"));
    child_command_wait(&child, 0);
    CHECK_INT(child_command_exit_code(&child), 7);
    CHECK(child_command_has_ended(&child));
}

TEST(it_waits_until_it_may_go)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/ran", test_dir());
    char *argv[] = {(char[]){"/bin/touch"}, path, NULL};
    CHECK(child_command_prepare(&child, argv, &err));
    (void)usleep(50000);
    CHECK(access(path, F_OK) != 0);
    CHECK(child_command_go(&child, argv[0], &err));
    child_command_wait(&child, 0);
    CHECK(access(path, F_OK) == 0);
}

TEST(a_command_that_cannot_run_says_why)
{
    char *argv[] = {(char[]){"/no/such/command"}, NULL};
    CHECK(child_command_prepare(&child, argv, &err));
    CHECK(!child_command_go(&child, argv[0], &err));
    CHECK_HAS(err.detail, "/no/such/command");
    CHECK_HAS(err.detail, "No such file");
    child_command_wait(&child, 0);
    CHECK_INT(child_command_exit_code(&child), 127);
}

TEST(a_signal_is_passed_on)
{
    CHECK(run("exec sleep 100")); // or its own child would outlive the shell
    CHECK(!child_command_has_ended(&child));
    child_command_wait(&child, SIGTERM);
    CHECK_INT(child_command_exit_code(&child), 128 + SIGTERM);
}

TEST(one_that_never_may_go_ends_by_itself)
{
    char *argv[] = {(char[]){"/bin/true"}, NULL};
    CHECK(child_command_prepare(&child, argv, &err));
    child_command_wait(&child, 0);
    CHECK_INT(child_command_exit_code(&child), 127);
}

TEST(no_command_is_no_trouble)
{
    struct child_command none = {0};
    CHECK(!child_command_has_ended(&none));
    child_command_wait(&none, SIGTERM);
}
