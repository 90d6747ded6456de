// SPDX-License-Identifier: Apache-2.0
// What the columns of a page refer to and mean: the blocks "nodes" and "stacks", and
// "names", a JSON document.
#ifndef FLAME_PROF_EXPORT_PAGE_NAMES_H
#define FLAME_PROF_EXPORT_PAGE_NAMES_H

#include "export/export_format.h"
#include "export/page_column.h"

struct page_metric {
    uint32_t metric; // of the profile
    struct page_column_facts value;
    struct page_column_facts delta;
};

struct page_contents {
    const struct export_request *request;
    struct page_rows rows;
    uint32_t dimensions[PROFILE_MAX_DIMENSIONS];
    uint32_t dimension_cnt;
    struct page_column_facts period;
    struct page_metric metrics[PROFILE_MAX_METRICS];
    uint32_t metric_cnt;
};

// False, with the reason.
bool page_names_write(const struct page_contents *contents, struct page_block *block,
                      struct error *err);

#endif
