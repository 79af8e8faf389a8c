/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of run() stages share: a chain of three whose middle one runs, pushing, looking, dead letters. */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/channel.h>

#include "common/base/clock.h"
#include "rig.h"
#include "worker/run.h"
#include "worker/turn.h"

/* The stage's run() of each test works on this, as does the test after it. */
static struct rig rig;

#define CURSOR(context_) ((uint64_t *)weir_cursor(context_))
#define LEDGER_OF(line_) (rig.relay.cursor.ledger[LEDGER_##line_])

typedef int (*run_function)(struct weir_context *context, void *state);

static inline void chain(run_function run)
{
	const struct weir_stage stage = { .role = WEIR_OPERATOR, .run = run, .cursor_size_bytes = sizeof(uint64_t) };

	rig_init_chain(&rig, &stage);
}

static inline void push(const char *text)
{
	assert_int_equal(rig_push(&rig.producers[0], text), 0);
	rig_commit(&rig.producers[0]);
}

static inline void end_input(void)
{
	lane_out_close(&rig.producers[0].outputs[0].lanes[0].lane);
}

static inline const char *seen(void)
{
	return rig_take(&rig.consumers[0]);
}

static inline int receive(struct weir_context *context, const char *text)
{
	struct weir_item item;
	int r = weir_recv(context, 0, WEIR_NOW, &item);

	if (r == WEIR_OK) {
		assert_int_equal(item.size_bytes, strlen(text));
		assert_memory_equal(item.data, text, item.size_bytes);
	}
	return r;
}

static inline int send_text(struct weir_context *context, const char *text)
{
	return weir_send(context, 0, text, strlen(text), WEIR_NOW);
}

/* A folder of its own for dead letters. */
static inline void letters(char folder[], char path[])
{
	strcpy(folder, "/tmp/weir-channel-XXXXXX");
	assert_non_null(mkdtemp(folder));
	sprintf(path, "%s/dead", folder);
	rig.relay.heritage.dead_letter_path = strdup(path);
}

static inline long letters_end(const char *folder, const char *path)
{
	struct stat st = { 0 };
	long size = stat(path, &st) == 0 ? (long)st.st_size : 0;

	unlink(path);
	rmdir(folder);
	return size;
}
