// SPDX-License-Identifier: Apache-2.0
// What a scheduler's CPU time went into; the category of a CPU sample.
#ifndef FLAME_PROF_CAPTURE_BEAM_SCHEDULER_STATE_H
#define FLAME_PROF_CAPTURE_BEAM_SCHEDULER_STATE_H

#define SCHEDULER_STATES(X)                                                                        \
    X(SCHEDULER_STATE_RUNNING, "running")       /* a process; in what is not known: watched */     \
    X(SCHEDULER_STATE_EMULATOR, "emulator")     /* Erlang code, and instructions' C parts */       \
    X(SCHEDULER_STATE_BIF, "bif")               /* a built-in function */                          \
    X(SCHEDULER_STATE_ETS, "ets")               /* one of the module ets */                        \
    X(SCHEDULER_STATE_NIF, "nif")               /* native code of a library */                     \
    X(SCHEDULER_STATE_GC_MINOR, "gc_minor")     /* collecting the young generation */              \
    X(SCHEDULER_STATE_GC_MAJOR, "gc_major")     /* or all */                                       \
    X(SCHEDULER_STATE_EXITING, "exiting")       /* a process that ends */                          \
    X(SCHEDULER_STATE_PORT, "port")             /* a driver */                                     \
    X(SCHEDULER_STATE_TIMERS, "timers")         /* timers that are due */                          \
    X(SCHEDULER_STATE_CHECK_IO, "check_io")     /* asking the kernel for I/O */                    \
    X(SCHEDULER_STATE_BUSY_WAIT, "busy_wait")   /* nothing to run, spinning for it: no work */     \
    X(SCHEDULER_STATE_AUX, "aux")               /* the VM's own jobs between two processes */      \
    X(SCHEDULER_STATE_SCHEDULING, "scheduling") /* choosing what to run */

enum scheduler_state {
#define STATE_ENUM(id, name) id,
    SCHEDULER_STATES(STATE_ENUM)
#undef STATE_ENUM
        SCHEDULER_STATE_CNT
};

// Static, never NULL.
const char *scheduler_state_name(enum scheduler_state state);

#endif
