/* SPDX-License-Identifier: Apache-2.0 */
/* What libfyaml finds wrong, in the words of somebody who writes a spec. */
#pragma once

#include <stddef.h>

#include "broker/spec/spec.h"

/* The innermost list or map in brackets that is still open, if there is one. */
struct yaml_open {
	bool found, is_map;
	struct spec_position position;
};

/*
 * Reports one finding of libfyaml, whose words and place are given. Past the last word of the source the place is moved: to the
 * bracket that is still open, or behind that word. With fixed != NULL it is that place, whatever was found.
 */
void yaml_error_report(struct diagnostics *diagnostics, const char *source, size_t size, const char *found,
		       struct spec_position position, const struct yaml_open *open, const struct spec_position *fixed);
