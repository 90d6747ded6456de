// SPDX-License-Identifier: Apache-2.0
// Where the VM keeps what we read: byte offsets in `struct process` and its
// companions, the process table, and how a pid names its slot. Plain data,
// constant once verified; every thread may read it.
//
// Offsets come from two sources that must agree (src/flame_prof_calibration.erl):
// discovery in the running VM with planted values, and the table of known
// releases below. A field found nowhere is -1: then there is no layout, unless it is
// one of the last, LAYOUT_FIRST_OPTIONAL and following, which are done without.
#ifndef FLAME_PROF_CAPTURE_BEAM_OTP_LAYOUT_H
#define FLAME_PROF_CAPTURE_BEAM_OTP_LAYOUT_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

// field, name towards Erlang, offset in OTP 25, in OTP 27 and 29.
// struct process:
// https://github.com/erlang/otp/blob/OTP-25.2.3/erts/emulator/beam/erl_process.h#L1007
//                 https://github.com/erlang/otp/blob/OTP-27.3.4.1/erts/emulator/beam/erl_process.h#L1020
#define LAYOUT_FIELDS(X)                                                                           \
    X(LAYOUT_ID, "id", 0, 0)                                                                       \
    X(LAYOUT_REG, "reg", 48, 32)                                                                   \
    X(LAYOUT_HTOP, "htop", 80, 80)                                                                 \
    X(LAYOUT_STOP, "stop", 88, 88)                                                                 \
    X(LAYOUT_HEAP, "heap", 128, 192)                                                               \
    X(LAYOUT_HEND, "hend", 136, 200)                                                               \
    X(LAYOUT_HEAP_SZ, "heap_sz", 152, 216)                                                         \
    X(LAYOUT_I, "i", 256, 248)                                                                     \
    X(LAYOUT_REDS, "reds", 280, 272)                                                               \
    X(LAYOUT_MSGQ_FIRST, "msgq_first", 328, 312)                                                   \
    X(LAYOUT_MSGQ_LEN, "msgq_len", 392, 336)                                                       \
    X(LAYOUT_MSGQ_FLAGS, "msgq_flags", 400, 392)                                                   \
    X(LAYOUT_INQ_LEN, "inq_len", 672, 656)                                                         \
    X(LAYOUT_DICTIONARY, "dictionary", 416, 408)                                                   \
    X(LAYOUT_INITIAL, "initial", 448, 440)                                                         \
    X(LAYOUT_CURRENT, "current", 472, 464)                                                         \
    X(LAYOUT_HIGH_WATER, "high_water", 496, 488)                                                   \
    X(LAYOUT_OLD_HEND, "old_hend", 504, 496)                                                       \
    X(LAYOUT_OLD_HTOP, "old_htop", 512, 504)                                                       \
    X(LAYOUT_OLD_HEAP, "old_heap", 520, 512)                                                       \
    X(LAYOUT_GEN_GCS, "gen_gcs", 528, 484)                                                         \
    X(LAYOUT_OVERHEAD, "overhead", 544, 528)                                                       \
    X(LAYOUT_MBUF_SZ, "mbuf_sz", 584, 568)                                                         \
    X(LAYOUT_PSD, "psd", 592, 576)                                                                 \
    X(LAYOUT_BIN_VHEAP_SZ, "bin_vheap_sz", 600, 584)                                               \
    X(LAYOUT_BIN_OLD_VHEAP_SZ, "bin_old_vheap_sz", 608, 592)                                       \
    X(LAYOUT_BIN_OLD_VHEAP, "bin_old_vheap", 616, 600)                                             \
    X(LAYOUT_STATE, "state", 640, 624)                                                             \
    X(LAYOUT_REGPROC_P, "regproc_p", 16, 16)                                                       \
    X(LAYOUT_REGPROC_NAME, "regproc_name", 32, 32)                                                 \
    X(LAYOUT_GROUP_LEADER, "group_leader", 296, 280)                                               \
    X(LAYOUT_PARENT, "parent", 480, 472)

enum layout_field {
#define LAYOUT_ENUM(id, name, otp25, otp27) id,
    LAYOUT_FIELDS(LAYOUT_ENUM)
#undef LAYOUT_ENUM
        LAYOUT_FIELD_CNT,
    LAYOUT_FIRST_OPTIONAL = LAYOUT_GROUP_LEADER
};

enum { LAYOUT_MAX_PROCESS_BYTES = 1024, LAYOUT_MAX_REGPROC_BYTES = 64 };

// How an internal pid term names its process table slot (erl_ptab.h,
// erts_ptab_id2pix): the high 32 bits up to OTP 25, low data bits from 26.
enum pid_encoding { PID_SLOT_IN_HIGH_WORD, PID_SLOT_IN_LOW_BITS };

struct otp_layout {
    int32_t offset[LAYOUT_FIELD_CNT]; // bytes
    enum pid_encoding pid_encoding;
    bool binaries_in_bits;     // sizes of binaries, from OTP 27 on
    uint32_t process_words;    // to read, to have every field; set by otp_layout_finish
    uint32_t process_bytes;    // what process_info(memory) counts for the struct itself
    uint32_t message_bytes;    // and for one queued message without data
    uint32_t psd_bytes;        // and for rarely used data, in processes that have it
    uint64_t table_address;    // of the slot array: slot_cnt words, never freed by the VM
    uint64_t slot_cnt;         // a power of two
    uint64_t initial_call_key; // the atom '$initial_call'
    uint64_t ancestors_key;    // '$ancestors'
    uint64_t label_key;        // '$process_label'
};

// Static, never NULL for a valid field.
const char *layout_field_name(enum layout_field field);

// The table's offsets for a release ("25", "27", "29"). False for a release the
// table does not know: `layout` is then untouched.
bool otp_layout_known(const char *otp_release, struct otp_layout *layout);

// Refuses what cannot be right: a missing field that is not optional, an offset that is unaligned
// or outside the struct, two fields in one place, a table that is not a power of two. Sets what
// follows from the offsets. Call it last: no other function takes a layout that is not finished.
bool otp_layout_finish(struct otp_layout *layout, struct error *err);

static inline bool otp_layout_has(const struct otp_layout *layout, enum layout_field field)
{
    return layout->offset[field] >= 0;
}

// The index of its slot in the process table. Async-signal-safe.
static inline uint64_t otp_layout_slot(const struct otp_layout *layout, uint64_t pid_term)
{
    return layout->pid_encoding == PID_SLOT_IN_HIGH_WORD ? pid_term >> 32
                                                         : (pid_term >> 4) & (layout->slot_cnt - 1);
}

#endif
