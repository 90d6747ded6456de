// SPDX-License-Identifier: Apache-2.0
// Libraries do not print: messages go to the one sink that the outermost layer
// set (the CLI's stderr, the NIF's owner process). Any thread but a signal
// handler. With no sink set, messages are dropped.
#ifndef FLAME_PROF_BASE_LOG_H
#define FLAME_PROF_BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

// `line` has no newline and is valid during the call only.
typedef void (*log_sink)(void *context, enum log_level level, const char *line);

// Call before the threads that log start and after they have ended.
void log_set_sink(log_sink sink, void *context, enum log_level max_level);

void log_message(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define log_error(...) log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_message(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...) log_message(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_message(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
