// SPDX-License-Identifier: Apache-2.0
#include "cli/child_command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_CANNOT_RUN = 127, EXIT_OF_SIGNAL = 128 };

// In the child: our signal handlers go with exec, what we ignore does not.
static void run(char **argv, int gate_fd, int result_fd)
{
    char byte = 0;
    (void)signal(SIGPIPE, SIG_DFL);
    while (read(gate_fd, &byte, 1) < 0 && errno == EINTR) {
    }
    if (byte == 0) {
        _exit(EXIT_CANNOT_RUN); // the recording could not begin
    }
    (void)execvp(argv[0], argv);
    int sys_errno = errno;
    (void)!write(result_fd, &sys_errno, sizeof sys_errno);
    _exit(EXIT_CANNOT_RUN);
}

bool child_command_prepare(struct child_command *child, char **argv, struct error *err)
{
    int gate[2] = {-1, -1};
    int result[2] = {-1, -1};
    if (pipe2(gate, O_CLOEXEC) != 0 || pipe2(result, O_CLOEXEC) != 0) {
        return error_os(err, errno, "run %s: make a pipe", argv[0]);
    }
    pid_t pid = fork();
    if (pid < 0) {
        return error_os(err, errno, "run %s: fork", argv[0]);
    }
    if (pid == 0) {
        (void)close(gate[1]);
        (void)close(result[0]);
        run(argv, gate[0], result[1]);
    }
    (void)close(gate[0]);
    (void)close(result[1]);
    *child = (struct child_command){
        .pid = (uint32_t)pid,
        .gate_fd = gate[1],
        .result_fd = result[0],
    };
    return true;
}

bool child_command_go(struct child_command *child, const char *name, struct error *err)
{
    int sys_errno = 0;
    ssize_t got = 0;
    (void)!write(child->gate_fd, "g", 1);
    (void)close(child->gate_fd);
    do { // ends with exec, or with the reason
        got = read(child->result_fd, &sys_errno, sizeof sys_errno);
    } while (got < 0 && errno == EINTR);
    (void)close(child->result_fd);
    child->gate_fd = child->result_fd = -1;
    return got != sizeof sys_errno || error_os(err, sys_errno, "run %s", name);
}

bool child_command_has_ended(struct child_command *child)
{
    if (child->pid != 0 && !child->has_ended) {
        child->has_ended = waitpid((pid_t)child->pid, &child->status, WNOHANG) != 0;
    }
    return child->has_ended;
}

void child_command_wait(struct child_command *child, int signal_number)
{
    if (child->pid == 0 || child_command_has_ended(child)) {
        return;
    }
    if (child->gate_fd >= 0) {
        (void)close(child->gate_fd); // not let go: it ends by itself
        child->gate_fd = -1;
    }
    if (signal_number != 0) {
        (void)kill((pid_t)child->pid, signal_number);
    }
    while (waitpid((pid_t)child->pid, &child->status, 0) < 0 && errno == EINTR) {
    }
    child->has_ended = true;
}

int child_command_exit_code(const struct child_command *child)
{
    if (WIFSIGNALED(child->status)) {
        return EXIT_OF_SIGNAL + WTERMSIG(child->status);
    }
    return WEXITSTATUS(child->status);
}
