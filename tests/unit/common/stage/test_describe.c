/* SPDX-License-Identifier: Apache-2.0 */
/* A descriptor as bytes and back; and every way in which such bytes can be spoiled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "common/stage/describe.h"
#include "common/stage/registry.h"

static void assert_same(const char *a, const char *b)
{
	if (a && b)
		assert_string_equal(a, b);
	else
		assert_ptr_equal(a, b);
}

static void test_round_trip(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_stage_descriptors; i++) {
		const struct weir_stage *stage = stage_descriptors[i];
		struct stage_description *description;
		char *bytes;
		size_t size;

		assert_int_equal(stage_description_write(stage, &bytes, &size), 0);
		assert_int_equal(stage_description_read(bytes, size, &description), 0);
		free(bytes); /* nothing points into it */
		assert_int_equal(description->stage.role, stage->role);
		assert_int_equal(description->stage.cursor_size_bytes, stage->cursor_size_bytes);
		assert_int_equal(description->stage.n_spools, stage->n_spools);
		assert_int_equal(description->stage.flags, stage->flags);
		assert_same(description->stage.name, stage->name);
		assert_same(description->stage.description, stage->description);
		assert_same(description->stage.outputs, stage->outputs);
		assert_int_equal(description->stage.n_options, stage->n_options);
		for (size_t j = 0; j < stage->n_options; j++) {
			const struct weir_option *a = &stage->options[j], *b = &description->stage.options[j];

			assert_same(a->name, b->name);
			assert_same(a->fallback, b->fallback);
			assert_same(a->choices, b->choices);
			assert_same(a->example, b->example);
			assert_int_equal(a->type, b->type);
			assert_int_equal(a->required, b->required);
			assert_int_equal(a->minimum, b->minimum);
			assert_int_equal(a->maximum, b->maximum);
		}
		stage_description_free(description);
	}
}

/* Cut off anywhere, it is refused; with any one byte changed, it is refused or still makes sense, and nothing else happens. */
static void test_spoiled(void **state)
{
	const struct weir_stage *stage = stage_descriptor_find(WEIR_OPERATOR, "exec");
	struct stage_description *description;
	unsigned n_refused = 0;
	char *bytes;
	size_t size;

	(void)state;
	assert_int_equal(stage_description_write(stage, &bytes, &size), 0);
	for (size_t cut = 0; cut < size; cut++) {
		char *part = malloc(cut ? cut : 1);

		memcpy(part, bytes, cut);
		assert_int_equal(stage_description_read(part, cut, &description), STAGE_E_BAD_DESCRIPTION);
		free(part);
	}
	for (size_t at = 0; at < size; at++)
		for (unsigned value = 0; value < 256; value += at < 64 ? 1 : 51) {
			char kept = bytes[at];
			int r;

			bytes[at] = (char)value;
			r = stage_description_read(bytes, size, &description);
			bytes[at] = kept;
			assert_true(r == 0 || r == STAGE_E_BAD_DESCRIPTION);
			n_refused += r != 0;
			if (r == 0)
				stage_description_free(description);
		}
	assert_true(n_refused > 1000);
	free(bytes);
	assert_int_equal(stage_description_read("", 0, &description), STAGE_E_BAD_DESCRIPTION);
	assert_null(stage_description_free(NULL));
}

/* Descriptors that make no sense are not even written. */
static void test_senseless(void **state)
{
	struct weir_option option = { .name = "size", .type = WEIR_TYPE_SIZE, .summary = "s" };
	const struct weir_stage good = { .abi = WEIR_STAGE_ABI,
					 .size_bytes = sizeof(good),
					 .role = WEIR_SINK,
					 .name = "good",
					 .summary = "s",
					 .description = "d",
					 .options = &option,
					 .n_options = 1 };
	struct weir_stage bad;
	char *bytes;
	size_t size;

	(void)state;
	assert_int_equal(stage_description_write(&good, &bytes, &size), 0);
	free(bytes);
#define REFUSED(change_)                                                                                 \
	do {                                                                                             \
		bad = good;                                                                              \
		change_;                                                                                 \
		assert_int_equal(stage_description_write(&bad, &bytes, &size), STAGE_E_BAD_DESCRIPTION); \
	} while (0)
	REFUSED(bad.name = NULL);
	REFUSED(bad.name = "");
	REFUSED(bad.name = "Good Stage");
	REFUSED(bad.role = (enum weir_role)4);
	REFUSED(bad.cursor_size_bytes = WEIR_CURSOR_SIZE_MAX + 1);
	REFUSED(bad.n_spools = WEIR_SPOOLS_MAX + 1);
	REFUSED(bad.flags = WEIR_STAGE_FLAGS + 1);
	REFUSED(bad.flags = WEIR_STAGE_NAMES_OUTPUTS | WEIR_STAGE_ERRORS_OUTPUT);
	REFUSED(bad.outputs = "done|Not done");
	REFUSED(bad.flags = WEIR_STAGE_ERRORS_OUTPUT; bad.outputs = "late|odd");
	REFUSED(bad.flags = WEIR_STAGE_ERRORS_OUTPUT; bad.outputs = "");
	REFUSED(bad.options = NULL);
	REFUSED(bad.n_options = 100000);
	option.type = (enum weir_option_type)(WEIR_TYPE_KEY + 1);
	REFUSED((void)0);
	option.type = WEIR_TYPE_CHOICE; /* without choices */
	REFUSED((void)0);
	option.type = WEIR_TYPE_SIZE;
	option.fallback = "large";
	REFUSED((void)0);
	option.fallback = NULL;
	option.name = NULL;
	REFUSED((void)0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_round_trip), cmocka_unit_test(test_spoiled),
					    cmocka_unit_test(test_senseless) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
