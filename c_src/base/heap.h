// SPDX-License-Identifier: Apache-2.0
// The C library's heap.
#ifndef FLAME_PROF_BASE_HEAP_H
#define FLAME_PROF_BASE_HEAP_H

// Gives back to the kernel what is free in it. glibc keeps that for the thread that freed
// it, and so a table of symbols made on one dirty scheduler after the other stays resident
// as many times. Takes milliseconds and the lock of each arena in turn: for the end of
// something, on a thread that may wait. Does nothing where there is no such call.
void heap_give_back(void);

// Large blocks go back to the kernel when they are freed, from now on. glibc learns from the
// first large one that is freed to keep the next ones, up to 32 MiB each, among the small
// ones. Of the whole process: for a program's beginning.
void heap_keep_no_large(void);

#endif
