// SPDX-License-Identifier: Apache-2.0
// The source of the page, web/page/, as the assembler took it into the binary. Static.
#ifndef FLAME_PROF_EXPORT_PAGE_FILES_H
#define FLAME_PROF_EXPORT_PAGE_FILES_H

#include "base/text.h"

// From "<!doctype html>" to where the data goes.
struct text page_files_head(void);
// The scripts.
struct text page_files_scripts(void);

#endif
