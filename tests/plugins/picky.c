/* SPDX-License-Identifier: Apache-2.0 */
/* Refuses the items that its options say, and passes the others on. With no option it is the mended stage that takes them all. */
#include <string.h>
#include <weir/stage.h>

static int picky_open(struct weir_context *context, void **ret_state)
{
	(void)context;
	*ret_state = NULL;
	return 0;
}

/* NULL: nothing is wrong with it. */
static const char *what_is_wrong(struct weir_context *context, const struct weir_item *item)
{
	const char *ending = weir_option_string(context, "ending");
	size_t size_bytes = ending ? strlen(ending) : 0;

	if (item->size_bytes < (size_t)weir_option_integer(context, "shortest"))
		return "too short";
	if (item->size_bytes > (size_t)weir_option_integer(context, "longest"))
		return "too long";
	if (size_bytes && item->size_bytes >= size_bytes &&
	    memcmp((const char *)item->data + item->size_bytes - size_bytes, ending, size_bytes) == 0)
		return "its ending is not wanted";
	return NULL;
}

static int picky_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	const char *wrong = what_is_wrong(context, item);

	(void)state;
	if (wrong) {
		weir_reject(context, "%s", wrong);
		return WEIR_REJECTED;
	}
	return weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
}

static const struct weir_option options[] = {
	{ .name = "ending", .type = WEIR_TYPE_STRING, .summary = "refuse what ends so" },
	{ .name = "shortest",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "0",
	  .maximum = INT64_MAX,
	  .summary = "refuse what has fewer bytes" },
	{ .name = "longest",
	  .type = WEIR_TYPE_INTEGER,
	  .fallback = "1073741824",
	  .maximum = INT64_MAX,
	  .summary = "refuse what has more bytes" },
};

static const struct weir_stage stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "picky",
	.summary = "refuses items, with a reason",
	.options = options,
	.n_options = sizeof(options) / sizeof(options[0]),
	.open = picky_open,
	.process = picky_process,
};

WEIR_STAGE_EXPORT(stage)
