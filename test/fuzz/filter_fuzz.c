// SPDX-License-Identifier: Apache-2.0
// Any bytes as a filter: understood, or refused with a place within it.
#include "query/filter.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_nodes(const struct filter *filter)
{
    for (uint32_t i = 0; i < filter->node_cnt; i++) {
        const struct filter_node *node = &filter->nodes[i];
        bool is_test = node->kind == FILTER_TEST;
        bool is_binary = node->kind == FILTER_AND || node->kind == FILTER_OR;
        if ((!is_test && node->left >= i) || (is_binary && node->right >= i) ||
            node->at >= filter->source_len) {
            abort();
        }
        if (is_test && node->test.value.pattern != NULL) {
            (void)pattern_matches(node->test.value.pattern, TEXT("lists:map/2;1559"));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    uint32_t at = 0;
    struct error err = {0};
    struct text source = {(const char *)bytes, (uint32_t)len};
    struct filter *filter = filter_create(source, &at, &err);
    if (filter == NULL && (at > len || err.detail[0] == '\0')) {
        abort();
    }
    if (filter != NULL) {
        check_nodes(filter);
    }
    filter_destroy(filter);
    return 0;
}
