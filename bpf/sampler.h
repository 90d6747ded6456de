/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the BPF side of the system sampler and capture/system share: the record
 * of one sample, the counters of one CPU and the limits of both. Fixed-width
 * types, explicit padding, no pointers. Nobody else includes it.
 */
#ifndef FLAME_PROF_BPF_SAMPLER_H
#define FLAME_PROF_BPF_SAMPLER_H

#include <linux/types.h>

enum {
    SAMPLER_COMM_BYTES = 16,
    /* bpf_get_stack() gives at most kernel.perf_event_max_stack, 127 by default. */
    SAMPLER_MAX_KERNEL_FRAMES = 127,
    /* A deeper user stack keeps both ends: the first HEAD and the last TAIL frames. */
    SAMPLER_USER_HEAD_FRAMES = 192,
    SAMPLER_USER_TAIL_FRAMES = 64,
    SAMPLER_MAX_USER_FRAMES = SAMPLER_USER_HEAD_FRAMES + SAMPLER_USER_TAIL_FRAMES,
    SAMPLER_MAX_FRAMES = SAMPLER_MAX_KERNEL_FRAMES + SAMPLER_MAX_USER_FRAMES,
    /* Frames walked, or pieces of an Erlang stack read, before giving up. */
    SAMPLER_MAX_DEPTH = 1024,
    /* A copy of registers and stack, in place of user frames. */
    SAMPLER_SNAPSHOT_REGISTERS = 9,
    SAMPLER_SNAPSHOT_STACK_BYTES = 8192,
    SAMPLER_SNAPSHOT_WORDS = SAMPLER_SNAPSHOT_REGISTERS + SAMPLER_SNAPSHOT_STACK_BYTES / 8,
    SAMPLER_MAX_WORDS = SAMPLER_MAX_KERNEL_FRAMES + SAMPLER_SNAPSHOT_WORDS,
    SAMPLER_MAX_TRACED_PROCESSES = 16384,
    SAMPLER_MAX_KNOWN_PROCESSES = 8192,
    /* A process still loads libraries: for so many samples that lead into the unknown user
     * space is woken, stacks are copied. */
    SAMPLER_YOUNG_SAMPLES = 64,
    SAMPLER_MAX_FILTER_VALUES = 256, /* of each kind */
    SAMPLER_MAX_CGROUP_DEPTH = 16,
    SAMPLER_MAX_SLEEPERS = 8192, /* threads that are off their CPU */
    SAMPLER_MAX_EXITS = 16,      /* names of processes whose end is watched */
    SAMPLER_MEMO_PLACES = 1024,  /* of each CPU: rules found lately; a power of two */
    SAMPLER_MEMO_PROCESSES = 64, /* ... and processes; a power of two */
    SAMPLER_MEMO_MAPPINGS = 64,  /* ... and mappings; a power of two */
};

/* What a sample is of. Append only: the numbers are in records. */
enum sampler_event {
    SAMPLER_EVENT_CPU_CLOCK = 0,
    SAMPLER_EVENT_OFF_CPU = 1,
    SAMPLER_EVENT_RUN_QUEUE = 2,
    SAMPLER_EVENT_MINOR_FAULTS = 3,
    SAMPLER_EVENT_MAJOR_FAULTS = 4,
    SAMPLER_EVENT_CONTEXT_SWITCHES = 5,
    SAMPLER_EVENT_CYCLES = 6,
    SAMPLER_EVENT_INSTRUCTIONS = 7,
    SAMPLER_EVENT_CACHE_MISSES = 8,
    SAMPLER_EVENT_CNT
};

/* What is filtered by, as bits. */
enum sampler_filter_kind {
    SAMPLER_FILTER_PROCESS = 1,
    SAMPLER_FILTER_THREAD = 2,
    SAMPLER_FILTER_COMM = 4,
    SAMPLER_FILTER_USER = 8,
    SAMPLER_FILTER_CGROUP = 16,
};

/* Why the walk of a user stack ended. Append only: the numbers are in records. */
enum sampler_unwind_end {
    SAMPLER_UNWIND_COMPLETE = 0,           /* the outermost frame, by its table or its chain */
    SAMPLER_UNWIND_NO_USER = 1,            /* kernel thread: no user stack at all */
    SAMPLER_UNWIND_BAD_FRAME_POINTER = 2,  /* not above the last one, misaligned, far away */
    SAMPLER_UNWIND_BAD_RETURN_ADDRESS = 3, /* not an address of user space */
    SAMPLER_UNWIND_UNREADABLE = 4,         /* stack page not in memory */
    SAMPLER_UNWIND_TOO_DEEP = 5,           /* SAMPLER_MAX_DEPTH */
    SAMPLER_UNWIND_32BIT = 6,              /* 32-bit task: frames have another shape */
    SAMPLER_UNWIND_ERLANG = 7,             /* complete: where the Erlang process begins */
    SAMPLER_UNWIND_NO_MAPPING = 8,         /* code where we know of no mapping */
    SAMPLER_UNWIND_BAD_FRAME = 9,          /* a table led to no frame above the last one */
    SAMPLER_UNWIND_BEAM_IDLE = 10,         /* complete: emulator code that runs no process */
    SAMPLER_UNWIND_BEAM_UNKNOWN = 11,      /* Erlang code of a release we do not know */
    SAMPLER_UNWIND_BEAM_UNVERIFIED = 12,   /* r13 led to no plausible Erlang process */
    SAMPLER_UNWIND_SNAPSHOT = 13,          /* not yet walked: registers and stack are sent */
    SAMPLER_UNWIND_END_CNT
};

/* Set in a user frame whose address is not behind a call: below a signal handler. */
#define SAMPLER_FRAME_EXACT (1ULL << 63)

/*
 * A record is the header and as many words of `frames` as it uses:
 *
 *     kernel_cnt kernel addresses, leaf first
 *     then either user_cnt user addresses, leaf first,
 *     or, with snapshot_words > 0 (the process has no tables yet), what user space
 *     needs to walk the stack itself: pc, sp, fp, r13, r10, r11, rax, rbx, then how many
 *     bytes of the stack are not there before those that are, then the stack from sp
 *     on, snapshot_words words in all.
 *
 * With user_omitted > 0 the last SAMPLER_USER_TAIL_FRAMES of them
 * are a ring whose outermost frame stands before index tail_first.
 */
struct sampler_record {
    __u64 time_ns; /* CLOCK_MONOTONIC */
    __u32 pid;     /* process (thread group), as the host sees it */
    __u32 tid;
    __u32 cpu;
    __u16 kernel_cnt;
    __u16 user_cnt;
    __u32 user_omitted;
    __u8 unwind_end; /* enum sampler_unwind_end */
    __u8 tail_first; /* 0 .. SAMPLER_USER_TAIL_FRAMES - 1 */
    __u16 snapshot_words;
    __u64 erlang_pid;      /* term of the Erlang process that ran; 0 = none, or not a BEAM */
    __u64 address_space;   /* equal for equal address spaces of one process; changes on exec */
    __u64 thread_start_ns; /* tells a reused thread id from the one before */
    __u64 cpu_ns;          /* these five: of the thread, since it started */
    __u64 voluntary_switches;
    __u64 involuntary_switches;
    __u64 minor_faults;
    __u64 major_faults;
    char comm[SAMPLER_COMM_BYTES]; /* NUL-terminated */
    __u64 weight;                  /* what it stands for: ns of time, or how many */
    __u64 run_queue_ns;            /* off the CPU: the part of it after the thread was woken */
    __u32 event;                   /* enum sampler_event */
    __u32 state;     /* off the CPU: the kernel's __state of the thread; 0 = it could have run */
    __u32 waker_tid; /* off the CPU: who woke it; 0 = nobody, or an idle CPU's interrupt */
    __u32 padding;
    char waker_comm[SAMPLER_COMM_BYTES];
    __u64 unread; /* where its walk came to a file that user space has not read yet; 0 = nowhere */
    __u64 frames[SAMPLER_MAX_WORDS];
};

enum { SAMPLER_RECORD_HEADER_BYTES = 168 };

/* A thread off its CPU, with the record that will be sent when it is back. */
struct sampler_sleeper {
    __u64 off_ns;
    __u64 wake_ns; /* 0 = not woken yet */
    __u32 waker_tid;
    __u32 state;
    char waker_comm[SAMPLER_COMM_BYTES];
    __u64 header[SAMPLER_RECORD_HEADER_BYTES / 8]; /* a sampler_record's, and its frames */
    __u64 frames[SAMPLER_MAX_FRAMES];
};

/*
 * Of one event on one CPU since the start. seen = excluded + skipped + limited + no_room +
 * samples + ring_full + threads that are still off their CPU (off-CPU time only; its run queue
 * has skipped, samples and ring_full).
 */
struct sampler_event_counters {
    __u64 seen;
    __u64 excluded;
    __u64 skipped; /* shorter than asked for */
    __u64 limited; /* more per second than allowed */
    __u64 no_room; /* SAMPLER_MAX_SLEEPERS */
    __u64 samples;
    __u64 ring_full;
    __u64 padding;
};

/*
 * Of one CPU since the start; an array by CPU number, mapped by user space. Every tick is counted
 * once: ticks = idle + excluded + samples + ring_full.
 */
struct sampler_counters {
    __u64 last_tick_ns; /* user space sets it when the CPU's timer starts */
    __u64 ticks;
    __u64 missed; /* ticks that never came, by the distance of those that did */
    __u64 idle;
    __u64 excluded; /* filtered out, or our own process */
    __u64 samples;
    __u64 ring_full;
    __u64 period_ns; /* of a tick; user space sets it */
};

/* The processes of one name that have ended; an array, mapped by user space. */
struct sampler_exit {
    __u64 cnt;
    __u64 time_ns; /* these: of the last one */
    __u32 pid;
    __u32 status; /* as wait(2) has it */
};

/* Asked of and told by the program tell_kernel_name. */
struct sampler_kernel_name {
    __u64 address;
    char text[640]; /* "NAME", "NAME [MODULE]", or "0xADDRESS" where no function is */
};

_Static_assert(__builtin_offsetof(struct sampler_record, frames) == SAMPLER_RECORD_HEADER_BYTES,
               "the header has padding nobody declared");
_Static_assert(sizeof(struct sampler_record) == SAMPLER_RECORD_HEADER_BYTES + 8 * SAMPLER_MAX_WORDS,
               "the record has padding nobody declared");
_Static_assert(sizeof(struct sampler_counters) == 64, "counters of two CPUs share a cache line");
_Static_assert(sizeof(struct sampler_event_counters) == 64, "counters of two CPUs share a line");
_Static_assert((int)SAMPLER_MAX_WORDS >= (int)SAMPLER_MAX_FRAMES, "one array for both");
_Static_assert((SAMPLER_USER_TAIL_FRAMES & (SAMPLER_USER_TAIL_FRAMES - 1)) == 0,
               "the tail is a ring indexed by a mask");
_Static_assert((int)SAMPLER_MAX_DEPTH > (int)SAMPLER_MAX_USER_FRAMES, "nothing would be omitted");

#endif
