/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/trace/otlp_text.h"

#include <inttypes.h>
#include <string.h>
#include <weir/version.h>

void otlp_text_add_string(struct text *text, const char *between, const char *key, const char *value)
{
	text_printf(text, "%s{\"key\":\"%s\",\"value\":{\"stringValue\":", between, key);
	text_add_json(text, value, strlen(value));
	text_add(text, "}}");
}

void otlp_text_add_int(struct text *text, const char *between, const char *key, uint64_t value)
{
	text_printf(text, "%s{\"key\":\"%s\",\"value\":{\"intValue\":\"%" PRId64 "\"}}", between, key, (int64_t)value);
}

void otlp_text_add_resource(struct text *text, const char *pipeline)
{
	text_add(text, "\"resource\":{\"attributes\":[");
	otlp_text_add_string(text, "", "service.name", pipeline);
	otlp_text_add_string(text, ",", "service.namespace", "weir");
	text_add(text, "]}");
}

void otlp_text_add_scope(struct text *text)
{
	text_add(text, "\"scope\":{\"name\":\"weir\",\"version\":\"" WEIR_VERSION "\"}");
}
