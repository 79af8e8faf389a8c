/* SPDX-License-Identifier: Apache-2.0 */
#include <libfyaml.h>
#include <stdlib.h>
#include <string.h>

#include "broker/cli/json_read.h"
#include "broker/cli/view_read.h"
#include "common/base/clock.h"
#include "common/base/must.h"

/* Ages are told, not moments: they are counted back from a day that is far enough from zero. */
#define READ_NOW_NS (UINT64_C(1000000) * NS_PER_S)

static uint64_t get_number(struct fy_node *map, const char *key)
{
	return strtoull(json_string(map, key), NULL, 10);
}

/* The moment that lies so many seconds back; 0 for null. */
static uint64_t get_moment(struct fy_node *map, const char *key, int direction)
{
	const char *value = json_string(map, key);
	double seconds = strtod(value, NULL);

	if (*value < '0' || *value > '9' || seconds > 1e5 * 9)
		return 0;
	return direction < 0 ? READ_NOW_NS - (uint64_t)(seconds * (double)NS_PER_S) :
			       READ_NOW_NS + (uint64_t)(seconds * (double)NS_PER_S);
}

static void read_ledger(struct fy_node *map, uint64_t ledger[static LEDGER_COUNT])
{
	struct fy_node *node = json_get(map, "ledger");

	for (unsigned i = 0; i < LEDGER_COUNT; i++)
		ledger[i] = get_number(node, ledger_lines[i].name);
}

/* The items of a list; 0 when it is none. */
static uint32_t count(struct fy_node *node)
{
	int n = node && fy_node_is_sequence(node) ? fy_node_sequence_item_count(node) : 0;

	return n > 0 ? (uint32_t)n : 0;
}

static void read_worker(struct fy_node *node, struct view_worker *worker)
{
	worker->slot = (uint32_t)get_number(node, "slot");
	worker->index = (uint32_t)get_number(node, "index");
	worker->pid = (pid_t)get_number(node, "pid");
	worker->generation = (uint32_t)get_number(node, "generation");
	worker->restarts = (uint32_t)get_number(node, "restarts");
	worker->state = json_string(node, "state");
	worker->state_since_ns = get_moment(node, "state_seconds", -1);
	worker->progress_position = get_number(node, "progress");
	worker->progress_total = get_number(node, "progress_total");
	worker->queue_bytes = get_number(node, "queue_bytes");
	worker->queue_capacity_bytes = get_number(node, "queue_capacity_bytes");
	worker->ahead_bytes = get_number(node, "ahead_bytes");
	worker->ahead_capacity_bytes = get_number(node, "ahead_capacity_bytes");
	read_ledger(node, worker->ledger);
}

static void read_stage(struct fy_node *node, struct view_stage *stage)
{
	struct fy_node *workers = json_get(node, "workers");

	stage->name = json_string(node, "name");
	stage->role = json_string(node, "role");
	stage->kind = json_string(node, "kind");
	stage->n_live = (uint32_t)get_number(node, "live");
	stage->restarts = (uint32_t)get_number(node, "restarts");
	stage->n_wanted = (uint32_t)get_number(node, "wanted");
	stage->n_resting = (uint32_t)get_number(node, "resting");
	stage->queue_bytes = get_number(node, "queue_bytes");
	stage->queue_capacity_bytes = get_number(node, "queue_capacity_bytes");
	stage->progress_position = get_number(node, "progress");
	stage->progress_total = get_number(node, "progress_total");
	read_ledger(node, stage->ledger);
	stage->n_workers = count(workers);
	stage->workers = calloc(stage->n_workers ? stage->n_workers : 1, sizeof(*stage->workers));
	must(stage->workers);
	for (uint32_t i = 0; i < stage->n_workers; i++)
		read_worker(fy_node_sequence_get_by_index(workers, (int)i), &stage->workers[i]);
}

static void drop_output(struct fy_diag *diag, void *user, const char *bytes, size_t size_bytes)
{
	(void)diag;
	(void)user;
	(void)bytes;
	(void)size_bytes;
}

/* libfyaml would tell the world about every comma. */
struct fy_document *json_parse(const char *json)
{
	struct fy_parse_cfg config = { .flags = FYPCF_QUIET | FYPCF_JSON_FORCE };
	struct fy_diag_cfg diagnostics;
	struct fy_document *document;
	char *own = strdup(json); /* a document looks into its text as long as it lives */

	must(own);
	fy_diag_cfg_default(&diagnostics);
	diagnostics.fp = NULL;
	diagnostics.output_fn = drop_output;
	config.diag = fy_diag_create(&diagnostics);
	must(config.diag);
	document = fy_document_build_from_malloc_string(&config, own, strlen(own));
	fy_diag_destroy(config.diag);
	return document;
}

void reply_error(const char *json, struct text *text)
{
	struct fy_document *document = json_parse(json);
	const char *error = json_string(document ? fy_document_root(document) : NULL, "error");

	text_add(text, *error ? error : json);
	fy_document_destroy(document);
}

uint32_t reply_waiting(const char *json, struct text *text)
{
	struct fy_document *document = json_parse(json);
	struct fy_node *waiting = json_get(document ? fy_document_root(document) : NULL, "waiting");
	uint32_t n = count(waiting);

	for (uint32_t i = 0; i < n; i++) {
		struct fy_node *worker = fy_node_sequence_get_by_index(waiting, (int)i);

		text_printf(text, "%s%s#%s (pid %s)", i ? ", " : "", json_string(worker, "stage"),
			    json_string(worker, "index"), json_string(worker, "pid"));
	}
	fy_document_destroy(document);
	return n;
}

int view_read(const char *json, struct view_copy *ret_copy)
{
	struct fy_document *document = json_parse(json);
	struct fy_node *root = document ? fy_document_root(document) : NULL, *stages = json_get(root, "stages");
	struct view *view = &ret_copy->view;

	if (!root || !fy_node_is_mapping(root) || !json_get(root, "pipeline") || !stages) {
		fy_document_destroy(document);
		return VIEW_E_BAD;
	}
	*ret_copy = (struct view_copy){ .document = document };
	view->pipeline = json_string(root, "pipeline");
	view->phase = json_string(root, "phase");
	view->cause = json_string(root, "cause");
	view->pid = (pid_t)get_number(root, "pid");
	view->now_ns = READ_NOW_NS;
	view->started_ns = get_moment(root, "uptime_seconds", -1);
	view->stop_deadline_ns = get_moment(root, "stop_seconds_left", 1);
	view->in_flight = get_number(root, "in_flight");
	read_ledger(root, view->ledger);
	view->n_stages = count(stages);
	view->stages = calloc(view->n_stages ? view->n_stages : 1, sizeof(*view->stages));
	must(view->stages);
	for (uint32_t i = 0; i < view->n_stages; i++)
		read_stage(fy_node_sequence_get_by_index(stages, (int)i), &view->stages[i]);
	return 0;
}

void view_copy_deinit(struct view_copy *copy)
{
	for (uint32_t i = 0; i < copy->view.n_stages; i++)
		free(copy->view.stages[i].workers);
	free(copy->view.stages);
	fy_document_destroy(copy->document);
	*copy = (struct view_copy)VIEW_COPY_NULL;
}
