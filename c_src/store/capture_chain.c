// SPDX-License-Identifier: Apache-2.0
#include "store/capture_chain.h"

#include <stdlib.h>
#include <string.h>

void capture_chain_deinit(struct capture_chain *chain)
{
    free(chain->before);
    free(chain->firsts);
    free(chain->with_first);
    free(chain->lasts);
    free(chain->row_of_slot);
    *chain = (struct capture_chain){0};
}

static bool reserve_slots(struct capture_chain *chain)
{
    if (chain->row_of_slot != NULL) {
        return true;
    }
    chain->row_of_slot = malloc(CAPTURE_SLOTS * sizeof *chain->row_of_slot);
    if (chain->row_of_slot == NULL) {
        return false;
    }
    memset(chain->row_of_slot, 0xFF, CAPTURE_SLOTS * sizeof *chain->row_of_slot);
    return true;
}

static bool reserve_rows(struct capture_chain *chain, uint32_t cnt)
{
    if (cnt <= chain->capacity) {
        return true;
    }
    free(chain->before);
    free(chain->firsts);
    free(chain->with_first);
    free(chain->lasts);
    chain->before = malloc(cnt * sizeof *chain->before);
    chain->firsts = malloc(cnt * sizeof *chain->firsts);
    chain->with_first = malloc((cnt / CAPTURE_CHAIN_BLOCK + 1) * sizeof *chain->with_first);
    chain->lasts = malloc(cnt * sizeof *chain->lasts);
    bool ok = chain->before != NULL && chain->firsts != NULL && chain->with_first != NULL &&
              chain->lasts != NULL;
    chain->capacity = ok ? cnt : 0;
    return chain->capacity > 0;
}

bool capture_chain_make(struct capture_chain *chain, const int64_t *codes, uint32_t cnt)
{
    chain->first_cnt = 0;
    chain->last_cnt = 0;
    if (cnt == 0) {
        return true;
    }
    if (!reserve_slots(chain) || !reserve_rows(chain, cnt)) {
        return false;
    }
    memset(chain->with_first, 0, (cnt / CAPTURE_CHAIN_BLOCK + 1) * sizeof *chain->with_first);
    for (uint32_t i = 0; i < cnt; i++) {
        int32_t *slot = &chain->row_of_slot[(uint64_t)codes[i] % CAPTURE_SLOTS];
        bool is_first = *slot < 0 || codes[*slot] != codes[i];
        chain->before[i] = is_first ? i : (uint32_t)*slot;
        if (is_first) {
            chain->firsts[chain->first_cnt++] = (struct capture_chain_first){i, *slot < 0};
            chain->with_first[i / CAPTURE_CHAIN_BLOCK] = true;
        }
        *slot = (int32_t)i;
    }
    for (uint32_t i = 0; i < cnt; i++) {
        int32_t *slot = &chain->row_of_slot[(uint64_t)codes[i] % CAPTURE_SLOTS];
        if (*slot == (int32_t)i) {
            chain->lasts[chain->last_cnt++] = i;
            *slot = -1;
        }
    }
    return true;
}
