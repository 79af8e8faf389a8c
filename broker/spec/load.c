/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a file to a plan:
 *
 *   source.c      bytes, bounded            yaml.c      a tree with places        override.c   --set
 *   pipeline.c    the top of the file       stage.c     keys, kind and options    probe.c      what a plugin is
 *   connect.c     names become edges        rules.c     values together           layout.c     slots, lanes, bytes
 *
 * Each step reports everything that it finds, and the next ones go on with what makes sense; only the last step wants a spec
 * without errors.
 */
#include "broker/spec/memory.h"
#include "broker/spec/override.h"
#include "broker/spec/reading.h"
#include "broker/spec/source.h"

static void reading_deinit(struct reading *reading)
{
	for (uint32_t i = 0; i < reading->n_stages; i++) {
		values_deinit(reading->stages[i].values, keys_stage.n);
		stage_description_free(reading->stages[i].description);
		free(reading->stages[i].inputs);
	}
	free(reading->stages);
}

/* The diagnostics have the source. */
static int plan_source(const char *path, const struct spec_override *overrides, size_t n_overrides,
		       struct plan **ret_plan, struct diagnostics *ret_diagnostics)
{
	struct reading reading = { .diagnostics = ret_diagnostics };
	_cleanup_(yaml_tree_deinit) struct yaml_tree tree = YAML_TREE_NULL;
	int r = yaml_parse(ret_diagnostics->source, ret_diagnostics->source_size, NULL, ret_diagnostics, &tree);

	if (r != 0)
		return r;
	overrides_apply(&tree, overrides, n_overrides, ret_diagnostics);
	reading.root = tree.root;
	reading.plan = spec_alloc(1, sizeof(*reading.plan));
	reading.plan->spec_path = spec_strdup(path);
	reading_pipeline(&reading);
	reading_connect(&reading);
	reading_rules(&reading);
	if (!ret_diagnostics->n_errors)
		reading_lay_out(&reading);
	if (!ret_diagnostics->n_errors)
		reading_scale_rules(&reading);
	reading_deinit(&reading);
	if (ret_diagnostics->n_errors) {
		plan_free(reading.plan);
		return SPEC_E_INVALID;
	}
	*ret_plan = reading.plan;
	return 0;
}

int spec_load(const char *path, const struct spec_override *overrides, size_t n_overrides, struct plan **ret_plan,
	      struct diagnostics *ret_diagnostics)
{
	int r;

	*ret_diagnostics = (struct diagnostics)DIAGNOSTICS_NULL;
	ret_diagnostics->path = spec_strdup(strcmp(path, "-") == 0 ? "stdin" : path);
	r = source_read(path, ret_diagnostics);
	return r == 0 ? plan_source(path, overrides, n_overrides, ret_plan, ret_diagnostics) : r;
}

int spec_load_text(const char *path, const char *shown, const char *text, size_t size,
		   const struct spec_override *overrides, size_t n_overrides, struct plan **ret_plan,
		   struct diagnostics *ret_diagnostics)
{
	int r;

	*ret_diagnostics = (struct diagnostics)DIAGNOSTICS_NULL;
	ret_diagnostics->path = spec_strdup(shown);
	r = source_take(text, size, ret_diagnostics);
	return r == 0 ? plan_source(path, overrides, n_overrides, ret_plan, ret_diagnostics) : r;
}
