// SPDX-License-Identifier: Apache-2.0
// Any profile, in any shape of a flame graph: nodes add up, and of a limited graph those
// that stay weigh what they weigh in the whole. The first byte chooses the format, the
// second and third one the question.
#include "import/import.h"
#include "query/flame_graph.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { MAX_BYTES = 32 << 20, MAX_DIMENSIONS = 6 };

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static uint32_t choose_dimensions(const struct profile *profile,
                                  uint32_t dimensions[MAX_DIMENSIONS], uint32_t most)
{
    uint32_t cnt = 0;
    for (uint32_t i = 0; i < profile->dimension_cnt && cnt < most; i++) {
        if (profile->dimensions[i].value_cnt > 1) {
            dimensions[cnt++] = i;
        }
    }
    return cnt;
}

static void check_sums(const struct flame_graph *graph)
{
    int64_t self = 0;
    for (uint32_t i = 0; i < graph->node_cnt; i++) {
        require(i == 0 || graph->nodes[i].parent < i);
        self = weight_sum(self, graph->nodes[i].self);
    }
    require(self == graph->nodes[0].total);
}

// The nodes of `graph` come in the order of `whole`.
static void check_limited(const struct flame_graph *whole, const struct flame_graph *graph)
{
    uint32_t at = 0;
    require(graph->node_cnt <= whole->node_cnt);
    for (uint32_t i = 0; i < graph->node_cnt; i++, at++) {
        const struct flame_node *node = &graph->nodes[i];
        while (at < whole->node_cnt &&
               (whole->nodes[at].id != node->id || whole->nodes[at].kind != node->kind ||
                whole->nodes[at].total != node->total || whole->nodes[at].self != node->self)) {
            at++;
        }
        require(at < whole->node_cnt);
    }
}

static void ask(const struct profile *profile, uint8_t shape, uint8_t max_nodes)
{
    struct error err = {0};
    struct selection selection;
    struct flame_graph whole;
    struct flame_graph graph;
    uint32_t dimensions[MAX_DIMENSIONS];
    enum weight_form form = (enum weight_form)(shape / 8 % WEIGHT_FORM_CNT);
    bool has_metric = profile->metric_cnt > 0 || form < WEIGHT_VALUE;
    struct flame_options options = {
        .weight = {has_metric ? form : WEIGHT_PERIOD, 0},
        .dimensions = dimensions,
        .dimension_cnt = choose_dimensions(profile, dimensions, shape / 8 / WEIGHT_FORM_CNT),
        .view = {.is_reversed = (shape & 1) != 0, .splits_lines = (shape & 2) != 0},
        .keeps_zeros = (shape & 4) != 0,
    };
    require(selection_init(&selection, profile, NULL, NULL, &err));
    require(flame_graph_init(&whole, &selection, &options, &err));
    check_sums(&whole);
    options.max_nodes = max_nodes + 1U;
    require(flame_graph_init(&graph, &selection, &options, &err));
    check_limited(&whole, &graph);
    flame_graph_deinit(&whole);
    flame_graph_deinit(&graph);
    selection_deinit(&selection);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len < 3) {
        return 0;
    }
    struct import_options options = {.format = (enum import_format)(bytes[0] % IMPORT_FORMAT_CNT)};
    struct profile_builder_options builder_options = {.max_bytes = MAX_BYTES};
    struct profile_builder *builder = profile_builder_create(&builder_options);
    (void)import_bytes(builder, bytes + 3, len - 3, &options, NULL);
    struct profile *profile = profile_builder_finish(builder, NULL);
    if (profile != NULL) {
        ask(profile, bytes[1], bytes[2]);
    }
    profile_destroy(profile);
    return 0;
}
