// SPDX-License-Identifier: Apache-2.0
// A process table with processes in it, built by a test in its own memory the way
// the VM lays them out (capture/beam/otp_layout.h), so that readers of VM memory
// run without a VM.
//
//     struct fake_vm vm;
//     fake_vm_init(&vm, "27", 1024);
//     struct fake_process process = fake_spawn(&vm, 5, 1, 64, 6);
//     fake_set(&vm, &process, LAYOUT_REDS, 1000);
//     ...
//     fake_vm_deinit(&vm);
#ifndef FLAME_PROF_TEST_FAKE_VM_H
#define FLAME_PROF_TEST_FAKE_VM_H

#include "capture/beam/memory_reader.h"
#include "capture/beam/otp_layout.h"
#include "test.h"

#include <sys/mman.h>

enum {
    FAKE_ARENA_BYTES = 32 << 20,
    FAKE_PROCESS_BYTES = 900,
    FAKE_MESSAGE_BYTES = 40,
    FAKE_PSD_BYTES = 80
};

// ERTS_PSFLG_*, erl_process.h
enum fake_state {
    FAKE_WAITING = 0,
    FAKE_FREE = 0x400,
    FAKE_EXITING = 0x800,
    FAKE_RUNNABLE = 0x2000,
    FAKE_RUNNING = 0x8000,
    FAKE_SUSPENDED = 0x10000,
    FAKE_COLLECTING = 0x20000,
};

struct fake_vm {
    struct otp_layout layout;
    uint64_t *table;
    unsigned char *arena;
    size_t used;
};

struct fake_process {
    unsigned char *bytes; // struct process
    uint64_t id;
    uint64_t *heap;
    uint64_t *stack; // what STOP points to; stack[0] is the leaf
    uint64_t heap_words;
    uint64_t stack_words;
};

static inline uint64_t fake_address(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

static inline uint64_t fake_atom(uint64_t number)
{
    return number << 6 | 0x0B;
}

static inline uint64_t fake_small(uint64_t number)
{
    return number << 4 | 0x0F;
}

static inline void *fake_alloc(struct fake_vm *vm, size_t bytes)
{
    void *at = vm->arena + vm->used;
    vm->used += (bytes + 7) & ~(size_t)7;
    if (vm->used > FAKE_ARENA_BYTES) {
        TEST_FAIL("the test's arena is full");
    }
    return at;
}

static inline void fake_vm_init(struct fake_vm *vm, const char *otp_release, uint64_t slot_cnt)
{
    memset(vm, 0, sizeof *vm);
    CHECK(otp_layout_known(otp_release, &vm->layout));
    vm->arena = mmap(NULL, FAKE_ARENA_BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK((void *)vm->arena != MAP_FAILED);
    vm->table = fake_alloc(vm, slot_cnt * sizeof *vm->table);
    vm->layout.process_bytes = FAKE_PROCESS_BYTES;
    vm->layout.message_bytes = FAKE_MESSAGE_BYTES;
    vm->layout.psd_bytes = FAKE_PSD_BYTES;
    vm->layout.table_address = fake_address(vm->table);
    vm->layout.slot_cnt = slot_cnt;
    vm->layout.initial_call_key = fake_atom(77);
    vm->layout.ancestors_key = fake_atom(78);
    vm->layout.label_key = fake_atom(79);
    vm->layout.binaries_in_bits = strcmp(otp_release, "25") != 0;
    CHECK(otp_layout_finish(&vm->layout, NULL));
}

static inline void fake_vm_deinit(struct fake_vm *vm)
{
    munmap(vm->arena, FAKE_ARENA_BYTES);
    vm->arena = NULL;
}

static inline uint64_t fake_pid(const struct fake_vm *vm, uint64_t slot, uint64_t serial)
{
    return vm->layout.pid_encoding == PID_SLOT_IN_HIGH_WORD
               ? slot << 32 | serial << 4 | 3
               : (serial * vm->layout.slot_cnt + slot) << 4 | 3;
}

// Seen by readers at any moment, as the VM's own stores are.
__attribute__((noinline, no_sanitize("thread"))) static void fake_poke(void *at, uint64_t value,
                                                                       size_t bytes)
{
    switch (bytes) {
    case 2:
        *(volatile uint16_t *)at = (uint16_t)value;
        break;
    case 4:
        *(volatile uint32_t *)at = (uint32_t)value;
        break;
    default:
        *(volatile uint64_t *)at = value;
    }
}

static inline size_t fake_width(enum layout_field field)
{
    return field == LAYOUT_GEN_GCS                               ? 2
           : field == LAYOUT_STATE || field == LAYOUT_MSGQ_FLAGS ? 4
                                                                 : 8;
}

static inline void fake_set(struct fake_vm *vm, const struct fake_process *process,
                            enum layout_field field, uint64_t value)
{
    fake_poke(process->bytes + vm->layout.offset[field], value, fake_width(field));
}

static inline void fake_set_slot(struct fake_vm *vm, uint64_t slot, uint64_t value)
{
    fake_poke(&vm->table[slot], value, 8);
}

static inline uint64_t fake_return_address(uint64_t number)
{
    return 0x7F0000100000 + number * 16;
}

// A waiting process: even words of its stack are return addresses, odd ones
// terms. `stack_words` < `heap_words` / 2.
static inline struct fake_process fake_spawn(struct fake_vm *vm, uint64_t slot, uint64_t serial,
                                             uint64_t heap_words, uint64_t stack_words)
{
    struct fake_process process = {
        .bytes = fake_alloc(vm, LAYOUT_MAX_PROCESS_BYTES),
        .id = fake_pid(vm, slot, serial),
        .heap = fake_alloc(vm, heap_words * 8),
        .heap_words = heap_words,
        .stack_words = stack_words,
    };
    process.stack = process.heap + heap_words - stack_words;
    for (uint64_t i = 0; i < stack_words; i++) {
        process.stack[i] = i % 2 == 0 ? fake_return_address(i) : fake_small(i);
    }
    fake_set(vm, &process, LAYOUT_ID, process.id);
    fake_set(vm, &process, LAYOUT_HEAP, fake_address(process.heap));
    fake_set(vm, &process, LAYOUT_HTOP, fake_address(process.heap + heap_words / 4));
    fake_set(vm, &process, LAYOUT_HIGH_WATER, fake_address(process.heap + heap_words / 8));
    fake_set(vm, &process, LAYOUT_STOP, fake_address(process.stack));
    fake_set(vm, &process, LAYOUT_HEND, fake_address(process.heap + heap_words));
    fake_set(vm, &process, LAYOUT_HEAP_SZ, heap_words);
    fake_set(vm, &process, LAYOUT_I, fake_return_address(999));
    fake_set(vm, &process, LAYOUT_REDS, 1000 + slot);
    uint64_t *initial = (uint64_t *)(void *)(process.bytes + vm->layout.offset[LAYOUT_INITIAL]);
    initial[0] = fake_atom(1);
    initial[1] = fake_atom(2);
    initial[2] = 3;
    fake_set_slot(vm, slot, fake_address(process.bytes));
    return process;
}

static inline void fake_old_heap(struct fake_vm *vm, const struct fake_process *process,
                                 uint64_t words, uint64_t used_words)
{
    uint64_t *old = fake_alloc(vm, words * 8);
    fake_set(vm, process, LAYOUT_OLD_HEAP, fake_address(old));
    fake_set(vm, process, LAYOUT_OLD_HTOP, fake_address(old + used_words));
    fake_set(vm, process, LAYOUT_OLD_HEND, fake_address(old + words));
}

static inline void fake_register(struct fake_vm *vm, const struct fake_process *process,
                                 uint64_t atom)
{
    unsigned char *regproc = fake_alloc(vm, LAYOUT_MAX_REGPROC_BYTES);
    fake_poke(regproc + vm->layout.offset[LAYOUT_REGPROC_P], fake_address(process->bytes), 8);
    fake_poke(regproc + vm->layout.offset[LAYOUT_REGPROC_NAME], atom, 8);
    fake_set(vm, process, LAYOUT_REG, fake_address(regproc));
}

// ---- terms --------------------------------------------------------------------

static inline uint64_t fake_tuple(struct fake_vm *vm, uint64_t arity, const uint64_t *elements)
{
    uint64_t *tuple = fake_alloc(vm, (arity + 1) * 8);
    tuple[0] = arity << 6;
    if (arity > 0) {
        memcpy(tuple + 1, elements, arity * 8);
    }
    return fake_address(tuple) | 2;
}

static inline uint64_t fake_pair(struct fake_vm *vm, uint64_t key, uint64_t value)
{
    return fake_tuple(vm, 2, (const uint64_t[]){key, value});
}

static inline uint64_t fake_cons(struct fake_vm *vm, uint64_t head, uint64_t tail)
{
    uint64_t *cell = fake_alloc(vm, 16);
    cell[0] = head;
    cell[1] = tail;
    return fake_address(cell) | 1;
}

enum { FAKE_NIL = 0x3B };

// {'$initial_call', {M, F, A}} as proc_lib keeps it.
static inline uint64_t fake_initial_call(struct fake_vm *vm, uint64_t module, uint64_t function,
                                         uint64_t arity)
{
    const uint64_t mfa[3] = {module, function, fake_small(arity)};
    return fake_pair(vm, vm->layout.initial_call_key, fake_tuple(vm, 3, mfa));
}

// struct proc_dict of erl_process_dict.h: sizeMask, usedSlots, arraySize,
// splitPosition, numElements, padding, slots.
static inline uint64_t *fake_dictionary(struct fake_vm *vm, uint32_t slot_cnt)
{
    uint32_t *dictionary = fake_alloc(vm, 24 + slot_cnt * 8ULL);
    dictionary[0] = slot_cnt - 1;
    dictionary[1] = slot_cnt;
    dictionary[2] = slot_cnt;
    uint64_t *slots = (uint64_t *)(void *)(dictionary + 6);
    for (uint32_t i = 0; i < slot_cnt; i++) {
        slots[i] = FAKE_NIL;
    }
    return slots;
}

static inline uint64_t fake_dictionary_address(const uint64_t *slots)
{
    return fake_address(slots) - 24;
}

// ---- messages -----------------------------------------------------------------

// struct erl_mesg: next, data.attached, m[3], then a fragment in place: next,
// off_heap (2 words), alloc_size, used_size.
static inline uint64_t *fake_message(struct fake_vm *vm, uint64_t attached, uint64_t term)
{
    uint64_t *message = fake_alloc(vm, 40 + 40);
    message[1] = attached;
    message[2] = term;
    return message;
}

static inline uint64_t *fake_fragment(struct fake_vm *vm, uint64_t used_words)
{
    uint64_t *fragment = fake_alloc(vm, 40);
    fragment[3] = used_words;
    fragment[4] = used_words;
    return fragment;
}

// ---- readers ------------------------------------------------------------------

static inline void fake_open_reader(struct memory_reader *reader, enum reader_kind kind)
{
    struct error err = {0};
    if (!memory_reader_open(reader, kind, &err)) {
        TEST_FAIL("no reader: %s", err.detail);
    }
}

static const enum reader_kind FAKE_READERS[] = {READER_GUARDED_LOAD, READER_PROCESS_VM_READV};
enum { FAKE_READER_CNT = 2 };

#endif
