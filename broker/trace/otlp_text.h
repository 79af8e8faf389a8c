/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of OTLP's JSON that spans and metrics have in common. Pure. */
#pragma once

#include <stdint.h>

#include "common/base/text.h"

/* Appends {"key":KEY,"value":{"stringValue":...}}, or intValue, which is a string there; `between` in front: "" or ",". */
void otlp_text_add_string(struct text *text, const char *between, const char *key, const char *value);
void otlp_text_add_int(struct text *text, const char *between, const char *key, uint64_t value);
/* Appends "resource":{...}: of a pipeline. */
void otlp_text_add_resource(struct text *text, const char *pipeline);
/* Appends "scope":{...}: who speaks. */
void otlp_text_add_scope(struct text *text);
