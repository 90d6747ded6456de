// SPDX-License-Identifier: Apache-2.0
// Two functions that Debian trixie's static libelf (elfutils 0.192) calls and
// does not contain. The Makefile links this file only where that is so.
//
// They make and free the search tree of raw chunks, which is in zeroed memory
// and which only elf_getdata_rawchunk() fills. Neither libbpf nor we call that;
// it would not link, either, as it needs more that is missing.
void eu_search_tree_init(void *tree, int (*compare)(const void *, const void *));
void eu_search_tree_fini(void *tree, void (*free_node)(void *));

void eu_search_tree_init(void *tree, int (*compare)(const void *, const void *))
{
    (void)tree, (void)compare;
}

void eu_search_tree_fini(void *tree, void (*free_node)(void *))
{
    (void)tree, (void)free_node;
}
