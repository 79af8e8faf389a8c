/* SPDX-License-Identifier: Apache-2.0 */
/* Which callbacks the stage of this worker has. */
#pragma once

#include <weir/stage.h>

#include "common/base/text.h"
#include "common/wire/heritage.h"

/*
 * The stage that the heritage names: a built-in (descriptor and callbacks put together) or a plugin (loaded). `why` gets a
 * sentence on failure. Returns 0, KIND_E_UNKNOWN (no such built-in, or the plugin can't be used).
 */
enum { KIND_E_UNKNOWN = 1 };
int kind_resolve(const struct heritage *heritage, struct weir_stage *ret_stage, struct text *why);
