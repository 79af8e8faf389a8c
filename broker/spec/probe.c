/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin is foreign code: loading it runs its constructors. So it is loaded in a child (asking.c), whose answer is trusted in nothing
 * (common/stage/describe.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "broker/spec/asking.h"
#include "broker/spec/keys.h"
#include "broker/spec/probe.h"
#include "common/stage/trust.h"

static void explain(const char *path, const struct answer *answer, struct text *why)
{
	const char *said = text_get(&answer->complaint);
	int length = (int)strcspn(said, "\n");

	if (answer->given_up)
		text_printf(why, "plugin '%s' %s", path, answer->given_up);
	else if (WIFSIGNALED(answer->status))
		text_printf(why, "plugin '%s' crashed when it was loaded (%s)", path,
			    strsignal(WTERMSIG(answer->status)));
	else if (WEXITSTATUS(answer->status) == 0)
		text_printf(why, "plugin '%s' describes itself in a way that makes no sense", path);
	else if (length) /* it begins with the plugin's path */
		text_printf(why, "%.*s", length, said);
	else
		text_printf(why, "plugin '%s' can't be used, and weir-worker does not say why", path);
}

/* A kind's option that has the name of a key of weir's own could never be set. */
static bool options_are_free(const struct weir_stage *stage, const char *path, struct text *why)
{
	for (size_t i = 0; i < stage->n_options; i++)
		if (key_find(&keys_stage, stage->options[i].name) >= 0) {
			text_printf(why, "plugin '%s' has an option '%s', which is a key of every stage", path,
				    stage->options[i].name);
			return false;
		}
	return true;
}

static int take_answer(const char *path, const struct answer *answer, struct stage_description **ret_description,
		       struct text *why)
{
	bool ended_well = !answer->given_up && WIFEXITED(answer->status) && WEXITSTATUS(answer->status) == 0;
	struct stage_description *description;

	if (!ended_well ||
	    stage_description_read(text_get(&answer->output), answer->output.length, &description) != 0) {
		explain(path, answer, why);
		return PROBE_E_UNUSABLE;
	}
	if (!options_are_free(&description->stage, path, why)) {
		stage_description_free(description);
		return PROBE_E_UNUSABLE;
	}
	*ret_description = description;
	return 0;
}

/* The worker is given the path without links, and looks at that one; who could turn a link is looked at here. */
static bool links_are_trusted(const char *path, struct text *why)
{
	struct trusted_file file = TRUSTED_FILE_NULL;
	int r = trusted_file_open("plugin", path, &file, why);

	trusted_file_deinit(&file);
	return r == 0;
}

int probe_describe(const char *path, struct stage_description **ret_description, struct text *why)
{
	_cleanup_(answer_deinit) struct answer answer = ANSWER_NULL;
	_cleanup_(free) char *worker = NULL, *absolute = realpath(path, NULL);
	char *argv[] = { (char *)"weir-worker", (char *)"--describe", absolute, NULL };
	struct stat status;
	int r;

	if (!absolute || stat(absolute, &status) != 0 || !S_ISREG(status.st_mode)) {
		text_printf(why, "plugin '%s' can't be read: %s", path, absolute ? "it is no file" : strerror(errno));
		return PROBE_E_UNUSABLE;
	}
	if (!links_are_trusted(path, why))
		return PROBE_E_UNUSABLE;
	worker = asking_worker_path();
	r = asking(worker, argv, -1, &answer);
	if (r < 0)
		text_printf(why,
			    "plugin '%s' can't be asked what it is: %s: %s (WEIR_WORKER names another weir-worker)",
			    path, worker, strerror(-r));
	else
		r = take_answer(path, &answer, ret_description, why);
	return r;
}
