// SPDX-License-Identifier: Apache-2.0
// The generated loader of bpf/sampler.bpf.c, whose warnings are its generator's.
// For system_sampler.c only.
#ifndef FLAME_PROF_CAPTURE_SYSTEM_SAMPLER_SKELETON_H
#define FLAME_PROF_CAPTURE_SYSTEM_SAMPLER_SKELETON_H

#pragma GCC system_header

#include "sampler.skel.h"

#endif
