/* SPDX-License-Identifier: Apache-2.0 */
/* The generated parts of weir.yaml(5) and weir-stages(7), in mdoc(7), made from the tables that specs are checked by. Pure. */
#pragma once

#include "common/base/text.h"

/* A section for the top of a spec, for a stage, and for each of their maps. */
void manual_keys(struct text *text);
/* A section for each role, in it one for each built-in kind. */
void manual_kinds(struct text *text);
