/* SPDX-License-Identifier: Apache-2.0 */
/* Where the keyed state of each slot lies, and that nothing of it is left. */
#pragma once

#include "broker/supervise/supervisor_priv.h"

/* The folder of this slot, absolute; the caller frees. NULL: its stage keeps no state. */
char *state_folder(const struct seat *seat);
