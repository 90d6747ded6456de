// SPDX-License-Identifier: Apache-2.0
// A regular expression that cannot run away: no backtracking, time at most in
// proportion to (bytes of text) x (instructions), memory fixed once compiled.
//
// What it knows: . [abc] [^a-z] ( ) | * + ? {m} {m,} {m,n} ^ $ \d \w \s \D \W \S, a
// backslash in front of a special character, (?i) in front of everything for
// letters of either case. It works on bytes: . is one byte.
//
// One owner; one thread at a time, as matching uses scratch memory of the pattern.
#ifndef FLAME_PROF_QUERY_PATTERN_H
#define FLAME_PROF_QUERY_PATTERN_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    PATTERN_MAX_BYTES = 1024,
    PATTERN_MAX_INSTRUCTIONS = 4096,
    PATTERN_MAX_REPEATS = 255,
    PATTERN_MAX_DEPTH = 64, // of parentheses
    PATTERN_MAX_CLASSES = 256,
};

// Why a pattern was refused.
struct pattern_fault {
    uint32_t at;      // byte of the source, from 0
    const char *what; // static
};

struct pattern;

// NULL, with the reason.
struct pattern *pattern_create(struct text source, struct pattern_fault *fault);
void pattern_destroy(struct pattern *pattern);

// Whether it matches anywhere in the text.
bool pattern_matches(struct pattern *pattern, struct text text);

#endif
