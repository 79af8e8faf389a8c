/* SPDX-License-Identifier: Apache-2.0 */
/* What `decode` and `encode` say in the spec; it was checked there. */
#pragma once

#include <stdbool.h>
#include <weir/stage.h>

#include "common/record/csv.h"
#include "common/record/record.h"

enum record_format record_option_format(const char *word);
/* ',' if it is not said. */
char record_option_separator(const struct weir_context *context, const char *name);
/* Returns false: they are not said. */
bool record_option_columns(const struct weir_context *context, const char *name, struct csv_names *names);
