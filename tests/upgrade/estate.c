/* SPDX-License-Identifier: Apache-2.0 */
/* broker/keep/estate.c as another build has it: what it leaves has another version of weir, and perhaps of the memory's layout. */
#include <weir/version.h>

#include "common/memory/segment_layout.h"

#undef WEIR_VERSION
#define WEIR_VERSION UPGRADE_VERSION
#ifdef UPGRADE_SEGMENT_LAYOUT
#undef SEGMENT_LAYOUT_VERSION
#define SEGMENT_LAYOUT_VERSION UPGRADE_SEGMENT_LAYOUT
#endif

#include "broker/keep/estate.c"
