/* SPDX-License-Identifier: Apache-2.0 */
/* broker/cli/version.c as another build has it. */
#include <weir/version.h>

#undef WEIR_VERSION
#define WEIR_VERSION UPGRADE_VERSION

#include "broker/cli/version.c"
