// SPDX-License-Identifier: Apache-2.0
// A command line as main() gets it, of a text in which blanks separate.
#ifndef FLAME_PROF_TEST_COMMAND_WORDS_H
#define FLAME_PROF_TEST_COMMAND_WORDS_H

#include "test.h"

enum { COMMAND_WORDS_MAX = 64 };

// `argv` holds pointers into it: until the next split.
struct command_words {
    char text[1024];
    char *argv[COMMAND_WORDS_MAX + 1];
    int argc;
};

// argv[0] is the command's name; then the words of `line`, no more than there is room for.
static inline void command_words_split(struct command_words *words, char *command, const char *line)
{
    (void)snprintf(words->text, sizeof words->text, "%s", line);
    words->argv[0] = command;
    words->argc = 1;
    char *rest = words->text;
    for (char *word = strsep(&rest, " "); word != NULL && words->argc < COMMAND_WORDS_MAX;
         word = strsep(&rest, " ")) {
        if (*word != '\0') {
            words->argv[words->argc++] = word;
        }
    }
    words->argv[words->argc] = NULL;
}

#endif
