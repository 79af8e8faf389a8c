/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of keyed state share: a chain whose relay remembers, in a folder and a log of the test's own. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include <weir/state.h>

#include "rig.h"
#include "worker/keyed.h"

#define STATE_BYTES (32U << 20)

/* Each test works on these. */
static struct rig rig;
static char folder[64], path[96];
static int memory; /* of the log */

/* A change of so many bytes. */
static inline int put_large(struct weir_context *context, const char *key, size_t size_bytes)
{
	static char large[WEIR_STATE_VALUE_SIZE_MAX + 1];

	return weir_state_put(context, key, strlen(key), large, size_bytes);
}

static inline void begin_asynchronous(const struct weir_stage *stage, uint32_t in_flight)
{
	strcpy(folder, "/tmp/weir-keyed-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/count.0", folder);
	memory = memfd_create("state", MFD_CLOEXEC);
	rig_init_chain_asynchronous(&rig, stage, in_flight);
}

static inline void begin(const struct weir_stage *stage)
{
	begin_asynchronous(stage, 1);
}

static inline void end(void)
{
	char command[96];

	rig_deinit(&rig);
	close(memory);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
}

/* It sits down with what the last one left. Returns as keyed_attach(). */
static inline int attach(struct worker *relay)
{
	struct text why = TEXT_NULL;
	int r;

	relay->heritage.state_fd = dup(memory);
	free(relay->heritage.state_path);
	relay->heritage.state_path = strdup(path);
	relay->heritage.state_bytes = STATE_BYTES;
	relay->heritage.dead_letter_path =
		relay->heritage.dead_letter_path ? relay->heritage.dead_letter_path : strdup("/dev/null");
	relay->heritage.stage = relay->heritage.stage ? relay->heritage.stage : strdup("relay");
	relay->heritage.pipeline = relay->heritage.pipeline ? relay->heritage.pipeline : strdup("p");
	r = keyed_attach(relay, &why);
	text_deinit(&why);
	return r;
}
