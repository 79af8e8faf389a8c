/* SPDX-License-Identifier: Apache-2.0 */
/* What weir/record.h calls, of the runtime in a bottle: records are cut, and not decoded. For fake_host.c. */
#pragma once

#include <weir/record.h>

bool fake_decodes(const struct weir_context *context);
enum weir_cutting fake_cutting(const struct weir_context *context);
int fake_cut(const struct weir_context *context, struct weir_cut *cut, const void *data, size_t size_bytes,
	     size_t *ret_record, size_t *ret_used);
void fake_cut_short(const struct weir_context *context, const void *data, size_t size_bytes, size_t *ret_record,
		    size_t *ret_used);
void fake_place(struct weir_context *context, const char *name, uint64_t line);
bool fake_ends_lines(const struct weir_context *context);
