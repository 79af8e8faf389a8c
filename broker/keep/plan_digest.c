/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The document that a worker would inherit is all that it goes by, so its bytes are what is compared. What differs from one start to the
 * next (descriptors, token, process) is made the same first, and what only messages need is left out.
 */
#include "broker/keep/plan_digest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/hash.h"

static void heritage_deinit_cleanup(struct heritage *heritage)
{
	heritage_deinit(heritage);
}

static void make_same(struct heritage *heritage)
{
	heritage->supervisor_pid = 1;
	heritage->segment_fd = heritage->board_fd = heritage->doorbell_fd = heritage->lifeline_fd = 0;
	heritage->cancel_fd = heritage->scopes_fd = 0;
	for (uint32_t i = 0; i < heritage->n_peers; i++)
		heritage->peers[i].segment_fd = heritage->peers[i].doorbell_fd = 0;
	for (uint32_t i = 0; i < heritage->n_origins; i++)
		heritage->origins[i].segment_fd = 0;
	for (uint32_t i = 0; i < heritage->n_options; i++)
		heritage->options[i].line = heritage->options[i].column = 0;
	free(heritage->spec);
	heritage->spec = strdup("");
	heritage->control_endpoint = strdup("");
}

static int add_document(int fd, uint64_t *digest)
{
	_cleanup_(free) unsigned char *bytes = NULL;
	struct stat st;

	if (fstat(fd, &st))
		return error_origin(-errno);
	bytes = malloc((size_t)st.st_size + 1);
	if (!bytes)
		return error_origin(-ENOMEM);
	if (pread(fd, bytes, (size_t)st.st_size, 0) != st.st_size)
		return error_origin(-EIO);
	*digest = hash_bytes(*digest, bytes, (size_t)st.st_size);
	return 0;
}

static int add_slot(const struct plan *plan, uint32_t slot, uint64_t *digest)
{
	_cleanup_(heritage_deinit) struct heritage heritage = { 0 };
	_cleanup_(close) int fd = -1;
	int r = plan_heritage(plan, slot, &heritage);

	if (r < 0)
		return error_trace(r);
	make_same(&heritage);
	if (!heritage.spec || !heritage.control_endpoint)
		return error_origin(-ENOMEM);
	r = heritage_write(&heritage, &fd);
	return r < 0 ? error_trace(r) : error_trace(add_document(fd, digest));
}

int plan_digest(const struct plan *plan, uint64_t *ret_digest)
{
	uint64_t digest = hash_bytes(0, plan->pipeline, strlen(plan->pipeline));
	int r = 0;

	for (uint32_t i = 0; r == 0 && i < plan->n_slots; i++) {
		uint32_t facts[2] = { plan->stages[plan->slots[i].stage].n_spools,
				      plan->stages[plan->slots[i].stage].cursor_size_bytes };

		digest = hash_bytes(digest, facts, sizeof(facts));
		r = add_slot(plan, i, &digest);
	}
	*ret_digest = digest;
	return r;
}
