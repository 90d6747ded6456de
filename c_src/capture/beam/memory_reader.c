// SPDX-License-Identifier: Apache-2.0
#include "capture/beam/memory_reader.h"

#include "capture/beam/guarded_read.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

// Installing and removing handlers is counted; sessions come and go on several
// threads.
static pthread_mutex_t guard_lock = PTHREAD_MUTEX_INITIALIZER;

// The kernel reports how many bytes it copied in order; the first incomplete
// read is the bad one, what follows is tried again.
static size_t readv_batch(int pid, struct memory_read *reads, size_t cnt)
{
    size_t good = 0;
    for (size_t first = 0; first < cnt;) {
        struct iovec local[MEMORY_READER_MAX_BATCH];
        struct iovec remote[MEMORY_READER_MAX_BATCH];
        size_t n = cnt - first;
        for (size_t i = 0; i < n; i++) {
            size_t bytes = (size_t)reads[first + i].word_cnt * 8;
            local[i] = (struct iovec){reads[first + i].to, bytes};
            remote[i] = (struct iovec){(void *)(uintptr_t)reads[first + i].address, bytes};
        }
        ssize_t copied = process_vm_readv(pid, local, n, remote, n, 0);
        size_t left = copied < 0 ? 0 : (size_t)copied;
        while (first < cnt && left >= (size_t)reads[first].word_cnt * 8) {
            left -= (size_t)reads[first].word_cnt * 8;
            reads[first++].ok = true;
            good++;
        }
        if (first < cnt) {
            reads[first++].ok = false;
        }
    }
    return good;
}

static size_t guarded_batch(struct memory_read *reads, size_t cnt)
{
    size_t good = 0;
    for (size_t i = 0; i < cnt; i++) {
        reads[i].ok = guarded_read_words(reads[i].to, reads[i].address, reads[i].word_cnt);
        good += reads[i].ok;
    }
    return good;
}

size_t memory_reader_batch(struct memory_reader *reader, struct memory_read *reads, size_t cnt)
{
    size_t good = reader->kind == READER_GUARDED_LOAD ? guarded_batch(reads, cnt)
                                                      : readv_batch(reader->pid, reads, cnt);
    reader->unreadable_cnt += cnt - good;
    return good;
}

bool memory_reader_words(struct memory_reader *reader, uint64_t address, void *to,
                         uint32_t word_cnt)
{
    struct memory_read read = {.address = address, .to = to, .word_cnt = word_cnt};
    return memory_reader_batch(reader, &read, 1) == 1;
}

static bool read_words(void *context, uint64_t address, void *to, uint32_t word_cnt)
{
    return memory_reader_words(context, address, to, word_cnt);
}

struct word_reader memory_reader_word_reader(struct memory_reader *reader)
{
    return (struct word_reader){read_words, reader};
}

const char *memory_reader_name(const struct memory_reader *reader)
{
    return reader->kind == READER_GUARDED_LOAD ? "guarded_load" : "process_vm_readv";
}

// Reads one word that is there and one that is not, through the backend.
static bool self_test(struct memory_reader *reader, struct error *err)
{
    uint64_t good = 0x5AFE5AFE5AFE5AFEULL;
    uint64_t copy = 0;
    void *hole = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (hole == MAP_FAILED) {
        return error_os(err, errno, "memory reader: cannot map a test page");
    }
    errno = 0;
    bool good_read = memory_reader_words(reader, (uint64_t)(uintptr_t)&good, &copy, 1);
    int good_errno = errno;
    uint64_t unused = 0;
    bool bad_read = memory_reader_words(reader, (uint64_t)(uintptr_t)hole, &unused, 1);
    reader->unreadable_cnt = 0;
    (void)munmap(hole, 4096);
    if (!good_read || copy != good) {
        return error_os(err, good_errno,
                        "memory reader %s refused (a seccomp profile? allow process_vm_readv, or "
                        "let the profiler have SIGSEGV)",
                        memory_reader_name(reader));
    }
    if (bad_read) {
        return error_set(err, ERROR_UNSUPPORTED,
                         "memory reader %s: an unmapped page read without an error",
                         memory_reader_name(reader));
    }
    return true;
}

static bool open_guarded(struct memory_reader *reader, struct error *err)
{
    pthread_mutex_lock(&guard_lock);
    enum guard_state state = guarded_read_install();
    pthread_mutex_unlock(&guard_lock);
    if (state != GUARD_INSTALLED) {
        return error_set(err, ERROR_UNSUPPORTED, "guarded loads: %s",
                         state == GUARD_FOREIGN ? "another library handles SIGSEGV or SIGBUS"
                                                : "not available on this machine");
    }
    reader->kind = READER_GUARDED_LOAD;
    reader->guard_held = true;
    if (!self_test(reader, err)) {
        memory_reader_close(reader);
        return false;
    }
    return true;
}

static bool open_readv(struct memory_reader *reader, struct error *err)
{
    reader->kind = READER_PROCESS_VM_READV;
    return self_test(reader, err);
}

bool memory_reader_open(struct memory_reader *reader, enum reader_kind kind, struct error *err)
{
    *reader = (struct memory_reader){.pid = getpid(), .may_fall_back = kind == READER_AUTO};
    if (kind == READER_PROCESS_VM_READV) {
        return open_readv(reader, err);
    }
    struct error guarded_err = {0};
    if (open_guarded(reader, &guarded_err)) {
        return true;
    }
    if (kind == READER_AUTO && open_readv(reader, err)) {
        return true;
    }
    return kind == READER_AUTO ? error_context(err, "%s", guarded_err.detail)
                               : error_set(err, guarded_err.code, "%s", guarded_err.detail);
}

void memory_reader_close(struct memory_reader *reader)
{
    if (reader->guard_held) {
        pthread_mutex_lock(&guard_lock);
        guarded_read_uninstall();
        pthread_mutex_unlock(&guard_lock);
        reader->guard_held = false;
    }
}

bool memory_reader_check(struct memory_reader *reader)
{
    if (reader->kind != READER_GUARDED_LOAD || guarded_read_state() == GUARD_INSTALLED) {
        return true;
    }
    if (reader->may_fall_back && open_readv(reader, NULL)) {
        return true;
    }
    reader->kind = READER_GUARDED_LOAD; // asked again next time
    return false;
}
