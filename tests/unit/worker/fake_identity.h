/* SPDX-License-Identifier: Apache-2.0 */
/* weir/identity.h in the bottle: an item's number is how many were given before it. */
#pragma once

#include <weir/identity.h>

const char *fake_pipeline_name(const struct weir_context *context);
uint64_t fake_run(const struct weir_context *context);
const char *fake_run_folder(const struct weir_context *context);
int fake_identify(const struct weir_context *context, struct weir_identity *ret_identity);
