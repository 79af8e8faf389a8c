/* SPDX-License-Identifier: Apache-2.0 */
/* Values of structured items as libjq has them: see common/stage/structured.h for how they are found. */
#pragma once

#include <jv.h>

#include "common/stage/structured.h"

/* The value there as libjq has it; the caller's. Bytes and extensions have no such thing: invalid. */
jv structured_value(struct value_reader *at);
