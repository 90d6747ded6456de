// SPDX-License-Identifier: Apache-2.0
// Numbers as people type and read them. Any thread.
#ifndef FLAME_PROF_CLI_NUMBER_TEXT_H
#define FLAME_PROF_CLI_NUMBER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Decimal digits and nothing else, min <= value <= max.
bool number_text_parse(const char *text, uint64_t min, uint64_t max, uint64_t *value);

// The same with an optional K, M or G (1024, ...) behind it.
bool number_text_parse_bytes(const char *text, uint64_t min, uint64_t max, uint64_t *value);

// Seconds with an optional fraction ("0.5") as nanoseconds; more than 0, at most
// ten years.
bool number_text_parse_seconds(const char *text, uint64_t *value_ns);

// The same with an optional unit behind it: ms, s (which is meant without one), m or h.
bool number_text_parse_duration(const char *text, uint64_t *value_ns);

enum { NUMBER_TEXT_BYTES = 32 };

// "1.4 MB"; returns `text`.
const char *number_text_bytes(uint64_t bytes, char text[NUMBER_TEXT_BYTES]);
// "1,234,567" ; returns `text`.
const char *number_text_grouped(int64_t value, char text[NUMBER_TEXT_BYTES]);

#endif
