/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of docs/spec.md, made from the tables that specs are checked by; a test compares. */
#pragma once

#include "common/base/text.h"

/* All keys of the top, of a stage, of its maps, and the options of all built-in kinds, as Markdown. Pure. */
void spec_reference(struct text *text);
