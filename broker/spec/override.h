/* SPDX-License-Identifier: Apache-2.0 */
/* "--set path=value": changes to the tree before anything is read from it. */
#pragma once

#include "broker/spec/spec.h"
#include "broker/spec/yaml.h"

/*
 * Sets overrides[i] in the tree; its nodes get the position { 0, i + 1 }, which diagnostics show as "--set path=value". Stages are
 * addressed by name: stages.awk.workers. A value that begins with [ or { is read as YAML. Wrong ones are reported.
 */
void overrides_apply(struct yaml_tree *tree, const struct spec_override *overrides, size_t n_overrides,
		     struct diagnostics *diagnostics);
