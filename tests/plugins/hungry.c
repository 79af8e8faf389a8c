/* SPDX-License-Identifier: Apache-2.0 */
/* Takes 200 MiB for an item that ends in "big", and refuses it if there is less. Passes all items on. */
#include <stdlib.h>
#include <string.h>
#include <weir/stage.h>

#define NEEDED_BYTES ((size_t)200 << 20)

static int hungry_open(struct weir_context *context, void **ret_state)
{
	(void)context;
	*ret_state = NULL;
	return 0;
}

static int hungry_process(struct weir_context *context, void *state, const struct weir_item *item)
{
	volatile char *taken;

	(void)state;
	if (item->size_bytes < 3 || memcmp((const char *)item->data + item->size_bytes - 3, "big", 3) != 0)
		return weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
	taken = malloc(NEEDED_BYTES);
	if (!taken) {
		weir_reject(context, "it takes more memory than there is");
		return WEIR_REJECTED;
	}
	for (size_t i = 0; i < NEEDED_BYTES; i += 4096)
		taken[i] = 1;
	free((void *)(uintptr_t)taken);
	return weir_emit(context, WEIR_ALL_OUTPUTS, item->data, item->size_bytes);
}

static const struct weir_stage stage = {
	.abi = WEIR_STAGE_ABI,
	.size_bytes = sizeof(struct weir_stage),
	.role = WEIR_OPERATOR,
	.name = "hungry",
	.summary = "takes much memory for some items",
	.open = hungry_open,
	.process = hungry_process,
};

WEIR_STAGE_EXPORT(stage)
