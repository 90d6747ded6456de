// SPDX-License-Identifier: Apache-2.0
#include "query/filter_match.h"

#include "query/filter_probe.h"

#include <stdlib.h>
#include <string.h>

// The whole filter for a block of rows, then the next block: what nodes answer stays in
// the first cache.
struct matcher {
    const struct filter *filter;
    struct filter_probe *probes; // by node; those that join have none
    uint8_t *masks;              // WEIGHT_BLOCK_ROWS for each node
};

static uint8_t *mask_of(const struct matcher *matcher, uint32_t node)
{
    return matcher->masks + (size_t)node * WEIGHT_BLOCK_ROWS;
}

static void match_not(uint8_t *restrict mask, const uint8_t *restrict of, uint32_t cnt)
{
    for (uint32_t i = 0; i < cnt; i++) {
        mask[i] = of[i] ^ 1;
    }
}

static void match_both(uint8_t *restrict mask, const uint8_t *restrict left,
                       const uint8_t *restrict right, uint32_t cnt)
{
    for (uint32_t i = 0; i < cnt; i++) {
        mask[i] = left[i] & right[i];
    }
}

static void match_either(uint8_t *restrict mask, const uint8_t *restrict left,
                         const uint8_t *restrict right, uint32_t cnt)
{
    for (uint32_t i = 0; i < cnt; i++) {
        mask[i] = left[i] | right[i];
    }
}

static void match_node(const struct matcher *matcher, uint32_t idx, uint64_t first, uint32_t cnt,
                       uint8_t *mask)
{
    const struct filter_node *node = &matcher->filter->nodes[idx];
    switch (node->kind) {
    case FILTER_NOT:
        match_not(mask, mask_of(matcher, node->left), cnt);
        break;
    case FILTER_AND:
        match_both(mask, mask_of(matcher, node->left), mask_of(matcher, node->right), cnt);
        break;
    case FILTER_OR:
        match_either(mask, mask_of(matcher, node->left), mask_of(matcher, node->right), cnt);
        break;
    default:
        filter_probe_rows(&matcher->probes[idx], first, cnt, mask);
        break;
    }
}

// Operands come before what joins them; the root is the last node.
static void match_rows(const struct matcher *matcher, uint64_t first, uint64_t cnt, uint8_t *mask)
{
    uint32_t root = matcher->filter->node_cnt - 1;
    for (uint64_t at = 0; at < cnt; at += WEIGHT_BLOCK_ROWS) {
        uint64_t rest = cnt - at;
        uint32_t rows = rest < WEIGHT_BLOCK_ROWS ? (uint32_t)rest : WEIGHT_BLOCK_ROWS;
        for (uint32_t i = 0; i < root; i++) {
            match_node(matcher, i, first + at, rows, mask_of(matcher, i));
        }
        match_node(matcher, root, first + at, rows, mask + at);
    }
}

static bool make_probes(struct matcher *matcher, const struct profile *profile, struct error *err)
{
    const struct filter *filter = matcher->filter;
    for (uint32_t i = 0; i < filter->node_cnt; i++) {
        if (filter->nodes[i].kind == FILTER_TEST &&
            !filter_probe_init(&matcher->probes[i], profile, filter, &filter->nodes[i], err)) {
            return false;
        }
    }
    return true;
}

uint8_t *filter_match(const struct filter *filter, const struct profile *profile, uint64_t first,
                      uint64_t cnt, struct error *err)
{
    struct matcher matcher = {
        .filter = filter,
        .probes = calloc(filter->node_cnt, sizeof *matcher.probes),
        .masks = malloc((size_t)filter->node_cnt * WEIGHT_BLOCK_ROWS),
    };
    uint8_t *mask = malloc(cnt + 1);
    bool ok = (matcher.probes != NULL && matcher.masks != NULL && mask != NULL) ||
              error_set(err, ERROR_NO_MEMORY, "filter: out of memory");
    ok = ok && make_probes(&matcher, profile, err);
    if (ok) {
        match_rows(&matcher, first, cnt, mask);
    }
    for (uint32_t i = 0; i < filter->node_cnt && matcher.probes != NULL; i++) {
        filter_probe_deinit(&matcher.probes[i]);
    }
    free(matcher.probes);
    free(matcher.masks);
    if (!ok) {
        free(mask);
    }
    return ok ? mask : NULL;
}
