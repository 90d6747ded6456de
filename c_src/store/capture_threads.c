// SPDX-License-Identifier: Apache-2.0
#include "store/capture_threads.h"

#include <stdlib.h>
#include <string.h>

void capture_threads_deinit(struct capture_threads *threads)
{
    free(threads->slots);
    *threads = (struct capture_threads){0};
}

bool capture_threads_reserve(struct capture_threads *threads)
{
    if (threads->slots == NULL) {
        threads->slots = calloc(CAPTURE_SLOTS, sizeof *threads->slots);
    }
    return threads->slots != NULL;
}

void capture_threads_forget(struct capture_threads *threads)
{
    if (threads->slots != NULL) {
        memset(threads->slots, 0, CAPTURE_SLOTS * sizeof *threads->slots);
    }
}
