// SPDX-License-Identifier: Apache-2.0
// The product's version; src/flame_prof.app.src says the same (a test compares them).
#ifndef FLAME_PROF_BASE_VERSION_H
#define FLAME_PROF_BASE_VERSION_H

#define FLAME_PROF_VERSION "0.1.0"

#endif
