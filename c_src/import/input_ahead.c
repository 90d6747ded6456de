// SPDX-License-Identifier: Apache-2.0
#include "import/input_ahead.h"

#include "base/quiet_thread.h"

#include <stdlib.h>
#include <string.h>

enum { PIECES = 4, PIECE_BYTES = 256 << 10 };

struct piece {
    size_t len;
    uint64_t done_bytes; // of the file, up to its end
    char bytes[PIECE_BYTES];
};

struct input_ahead {
    struct input_stream *stream; // the thread's
    pthread_t thread;
    pthread_mutex_t lock; // of the next five
    pthread_cond_t changed;
    uint64_t filled_cnt; // piece i is in pieces[i % PIECES]
    uint64_t emptied_cnt;
    bool is_over;     // nothing more is filled
    bool is_unwanted; // nor read
    struct error why; // it is over; its code is ERROR_NONE at the end
    size_t taken;     // of the piece that is being read
    uint64_t done_bytes;
    struct piece pieces[PIECES];
};

// --- the thread -----------------------------------------------------------------

// Waits for room; NULL when nobody wants it.
static struct piece *begin_piece(struct input_ahead *ahead)
{
    (void)pthread_mutex_lock(&ahead->lock);
    while (ahead->filled_cnt - ahead->emptied_cnt == PIECES && !ahead->is_unwanted) {
        (void)pthread_cond_wait(&ahead->changed, &ahead->lock);
    }
    bool is_unwanted = ahead->is_unwanted;
    struct piece *piece = &ahead->pieces[ahead->filled_cnt % PIECES];
    (void)pthread_mutex_unlock(&ahead->lock);
    return is_unwanted ? NULL : piece;
}

// True when more may come.
static bool fill(struct input_ahead *ahead, struct piece *piece, struct error *why)
{
    size_t got = 1;
    piece->len = 0;
    while (piece->len < PIECE_BYTES && got > 0) {
        if (!input_stream_read(ahead->stream, piece->bytes + piece->len, PIECE_BYTES - piece->len,
                               &got, why)) {
            return false;
        }
        piece->len += got;
    }
    return got > 0;
}

static void *run(void *context)
{
    struct input_ahead *ahead = context;
    struct error why = {0};
    bool goes_on = true;
    while (goes_on) {
        struct piece *piece = begin_piece(ahead);
        if (piece == NULL) {
            break;
        }
        goes_on = fill(ahead, piece, &why);
        piece->done_bytes = input_stream_done_bytes(ahead->stream);
        (void)pthread_mutex_lock(&ahead->lock);
        ahead->filled_cnt += piece->len > 0;
        ahead->is_over = !goes_on;
        ahead->why = why;
        (void)pthread_cond_signal(&ahead->changed);
        (void)pthread_mutex_unlock(&ahead->lock);
    }
    return NULL;
}

// --- life -----------------------------------------------------------------------

struct input_ahead *input_ahead_create(struct input_stream *stream, struct error *err)
{
    struct input_ahead *ahead = malloc(sizeof *ahead); // the pieces stay as they are
    if (ahead == NULL) {
        (void)error_set(err, ERROR_NO_MEMORY, "import: out of memory");
        return NULL;
    }
    memset(ahead, 0, offsetof(struct input_ahead, pieces));
    ahead->stream = stream;
    (void)pthread_mutex_init(&ahead->lock, NULL);
    (void)pthread_cond_init(&ahead->changed, NULL);
    if (!quiet_thread_start(&ahead->thread, "fp_decompress", run, ahead, err)) {
        free(ahead);
        return NULL;
    }
    return ahead;
}

void input_ahead_destroy(struct input_ahead *ahead)
{
    if (ahead == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&ahead->lock);
    ahead->is_unwanted = true;
    (void)pthread_cond_signal(&ahead->changed);
    (void)pthread_mutex_unlock(&ahead->lock);
    (void)pthread_join(ahead->thread, NULL);
    (void)pthread_cond_destroy(&ahead->changed);
    (void)pthread_mutex_destroy(&ahead->lock);
    free(ahead);
}

// --- who reads ------------------------------------------------------------------

// Waits for a piece; NULL when none comes.
static const struct piece *next_piece(struct input_ahead *ahead)
{
    (void)pthread_mutex_lock(&ahead->lock);
    while (ahead->filled_cnt == ahead->emptied_cnt && !ahead->is_over) {
        (void)pthread_cond_wait(&ahead->changed, &ahead->lock);
    }
    bool has_one = ahead->filled_cnt != ahead->emptied_cnt;
    const struct piece *piece = &ahead->pieces[ahead->emptied_cnt % PIECES];
    (void)pthread_mutex_unlock(&ahead->lock);
    return has_one ? piece : NULL;
}

static void end_piece(struct input_ahead *ahead)
{
    ahead->taken = 0;
    (void)pthread_mutex_lock(&ahead->lock);
    ahead->emptied_cnt++;
    (void)pthread_cond_signal(&ahead->changed);
    (void)pthread_mutex_unlock(&ahead->lock);
}

bool input_ahead_read(struct input_ahead *ahead, char *bytes, size_t len, size_t *got,
                      struct error *err)
{
    const struct piece *piece = next_piece(ahead);
    *got = 0;
    if (piece == NULL) { // it is over, so `why` stays
        if (ahead->why.code != ERROR_NONE && err != NULL) {
            *err = ahead->why;
        }
        return ahead->why.code == ERROR_NONE;
    }
    size_t left = piece->len - ahead->taken;
    *got = len < left ? len : left;
    memcpy(bytes, piece->bytes + ahead->taken, *got);
    ahead->taken += *got;
    ahead->done_bytes = piece->done_bytes;
    if (ahead->taken == piece->len) {
        end_piece(ahead);
    }
    return true;
}

uint64_t input_ahead_done_bytes(const struct input_ahead *ahead)
{
    return ahead->done_bytes;
}
