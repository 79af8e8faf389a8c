/* SPDX-License-Identifier: Apache-2.0 */
/* What a reload gives its new workers; relative. */
#pragma once

#include <stdint.h>

struct reload_terms {
	uint64_t opening_ns;   /* to have their stage open; 0: as long as at a start */
	uint64_t probation_ns; /* how long they are watched then */
};
