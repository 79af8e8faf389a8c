/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of items (weir_group_begin()) in the bottle. */
#pragma once

#include <weir/stage.h>

int fake_group_begin(struct weir_context *context);
int fake_group_end(struct weir_context *context);
void fake_group_drop(struct weir_context *context);
const char *fake_group_fault(const struct weir_context *context);
