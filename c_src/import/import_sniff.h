// SPDX-License-Identifier: Apache-2.0
// Tells formats by the beginning of a file. Pure.
#ifndef FLAME_PROF_IMPORT_IMPORT_SNIFF_H
#define FLAME_PROF_IMPORT_IMPORT_SNIFF_H

#include "base/text.h"
#include "import/import.h"

// `begin`: decompressed, some thousand bytes of it. IMPORT_AUTO when it is none.
enum import_format import_sniff(struct text begin);

#endif
