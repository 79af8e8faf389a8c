/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "tests/explore/explore.h"

/* In the order in which a mutant is tried on them. */
extern const struct explore_program programs[];
extern const unsigned n_programs;
