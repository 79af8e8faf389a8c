/* SPDX-License-Identifier: Apache-2.0 */
/* weir/identity.h, answered by the worker. */
#pragma once

#include <weir/identity.h>

/* weir_identify() */
int identity_of_hand(const struct weir_context *context, struct weir_identity *ret_identity);
