// SPDX-License-Identifier: Apache-2.0
// Every program of a BPF object through the verifier of the kernel that runs,
// the optional ones too, each by itself.
//
//     bpf_verifier OBJECT
//
// Says how many instructions the verifier walked, or why it refused; closes with
// "N passed, N failed, N skipped".
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LOG_BYTES = 16 * 1024 * 1024, LOG_STATISTICS = 4, MAX_PROGRAMS = 64 };

static int silent(enum libbpf_print_level level, const char *format, va_list args)
{
    (void)level, (void)format, (void)args;
    return 0;
}

// Program number `index` of the object, alone; false when there is none.
static bool verify(const char *path, int index, char *log, unsigned *passed, unsigned *failed)
{
    struct bpf_object *object = bpf_object__open_file(path, NULL);
    struct bpf_program *program = NULL;
    struct bpf_program *chosen = NULL;
    int at = 0;

    if (object == NULL) {
        printf("FAIL open %s: %s\n", path, strerror(errno));
        (*failed)++;
        return false;
    }
    bpf_object__for_each_program(program, object)
    {
        bool take = at++ == index;
        (void)bpf_program__set_autoload(program, take);
        if (take) {
            chosen = program;
        }
    }
    if (chosen == NULL) {
        bpf_object__close(object);
        return false;
    }
    log[0] = '\0';
    (void)bpf_program__set_log_buf(chosen, log, LOG_BYTES);
    (void)bpf_program__set_log_level(chosen, LOG_STATISTICS);
    int error = bpf_object__load(object);
    if (error == 0) {
        const char *said = strstr(log, "processed ");
        printf("ok   %s: %.*s\n", bpf_program__name(chosen), said ? (int)strcspn(said, "\n") : 0,
               said ? said : "");
        (*passed)++;
    } else {
        // The verifier says why at the end.
        size_t length = strlen(log);
        printf("%s\nFAIL %s: %s\n", log + (length > 4000 ? length - 4000 : 0),
               bpf_program__name(chosen), strerror(-error));
        (*failed)++;
    }
    bpf_object__close(object);
    return true;
}

static const char *reason_to_skip(void)
{
    if (geteuid() != 0) {
        return "not root";
    }
    if (access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
        return "this kernel has no /sys/kernel/btf/vmlinux";
    }
    unsigned first = 0;
    if (bpf_prog_get_next_id(0, &first) != 0 && errno != ENOENT) {
        return errno == ENOSYS ? "this kernel has no bpf()" : "bpf() is not permitted here";
    }
    return NULL;
}

int main(int argc, char **argv)
{
    unsigned passed = 0;
    unsigned failed = 0;
    const char *path = argc > 1 ? argv[1] : getenv("BPF_OBJECT");
    if (path == NULL) {
        fprintf(stderr, "usage: bpf_verifier OBJECT (or BPF_OBJECT in the environment)\n");
        return 2;
    }
    const char *reason = reason_to_skip();
    if (reason != NULL) {
        printf("skip bpf_verifier: %s\n0 passed, 0 failed, 1 skipped\n", reason);
        return 0;
    }
    char *log = malloc(LOG_BYTES);
    if (log == NULL) {
        fprintf(stderr, "bpf_verifier: no memory for the log\n");
        return 1;
    }
    (void)libbpf_set_print(silent);
    for (int i = 0; i < MAX_PROGRAMS && verify(path, i, log, &passed, &failed); i++) {
    }
    free(log);
    printf("%u passed, %u failed, 0 skipped\n", passed, failed);
    return passed == 0 || failed != 0;
}
