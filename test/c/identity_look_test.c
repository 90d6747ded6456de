// SPDX-License-Identifier: Apache-2.0
// Who a process is, seen from outside: what stands still is kept, what runs is shown,
// what is collected is left for later.
#include "capture/beam/identity_look.h"

#include "child_process.h"
#include "fake_vm.h"

static struct fake_vm vm;
static struct memory_reader reader;
static struct fake_process process;
static struct process_snapshot snapshot;
static struct process_snapshot again;
static struct dictionary_identity identity;

static enum identity_look look(void)
{
    struct process_snapshot *now = &snapshot;
    now->id = process.id;
    process_snapshot_batch(&reader, &vm.layout, &now, 1);
    return identity_look_at(&reader, &vm.layout, now, &again, &identity);
}

static void look_at_all(enum reader_kind kind)
{
    fake_vm_init(&vm, "27", 1024);
    fake_open_reader(&reader, kind);
    process = fake_spawn(&vm, 5, 1, 64, 6);
    identity.initial[0] = 1;
    CHECK_INT(look(), IDENTITY_LOOK_STILL); // no dictionary
    CHECK_UINT(identity.initial[0], 0);
    uint64_t *slots = fake_dictionary(&vm, 1);
    slots[0] = fake_initial_call(&vm, fake_atom(10), fake_atom(11), 4);
    fake_set(&vm, &process, LAYOUT_DICTIONARY, fake_dictionary_address(slots));
    CHECK_INT(look(), IDENTITY_LOOK_STILL);
    CHECK_UINT(identity.initial[0], fake_atom(10));
    fake_set(&vm, &process, LAYOUT_STATE, FAKE_RUNNING);
    CHECK_INT(look(), IDENTITY_LOOK_RUNNING);
    identity.initial[0] = 1;
    fake_set(&vm, &process, LAYOUT_STATE, FAKE_COLLECTING);
    CHECK_INT(look(), IDENTITY_LOOK_FAILED);
    fake_set(&vm, &process, LAYOUT_STATE, FAKE_FREE);
    CHECK_INT(look(), IDENTITY_LOOK_FAILED);
    CHECK_UINT(identity.initial[0], 1); // as it was
    memory_reader_close(&reader);
    fake_vm_deinit(&vm);
}

TEST(what_stands_still_is_kept)
{
    for (int kind = 0; kind < FAKE_READER_CNT; kind++) {
        look_at_all(FAKE_READERS[kind]);
    }
}
