/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stage sees a context that has options and nothing else. What it prints itself, or its libraries do, goes to standard error, so that
 * it is not taken for a complaint.
 */
#include "worker/check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/text.h"
#include "common/stage/host.h"
#include "common/wire/heritage.h"
#include "worker/credentials.h"
#include "worker/kind.h"

struct asked {
	struct weir_context context; /* first */
	struct heritage_question question;
	FILE *answer;
};

static struct asked *asked_of(const struct weir_context *context)
{
	return (struct asked *)(uintptr_t)context;
}

static const struct heritage_option *option(const struct weir_context *context, const char *name)
{
	const struct heritage_question *question = &asked_of(context)->question;

	for (uint32_t i = 0; i < question->n_options; i++)
		if (strcmp(question->options[i].name, name) == 0)
			return &question->options[i];
	return NULL;
}

static void complain(struct weir_context *context, const char *name, uint32_t line, const char *given)
{
	FILE *answer = asked_of(context)->answer;
	_cleanup_(free) char *reason_given = strdup(given);
	const char *reason = reason_given ? reason_given : "no memory to say why";

	if (reason_given)
		credentials_hide(reason_given);
	fprintf(answer, "%s\t%u\t", name, line);
	for (; *reason; reason++)
		fputc((unsigned char)*reason < ' ' ? ' ' : *reason, answer);
	fputc('\n', answer);
}

static void fail(struct weir_context *context, const char *reason)
{
	(void)context;
	fprintf(stderr, "%s\n", reason);
}

static const struct weir_host host = { .option = option, .complain = complain, .fail = fail };

static int ask(struct asked *asked, struct text *why)
{
	struct heritage heritage = { .kind = asked->question.kind,
				     .plugin = asked->question.plugin,
				     .role = asked->question.role };
	_cleanup_(text_deinit) struct text wrong = TEXT_NULL;
	const char *option_name = NULL;
	struct weir_stage stage;
	int r = kind_resolve(&heritage, &stage, why);

	if (r != 0 || !stage.check)
		return r;
	/* Where there are no credentials, as for `weir check` by hand, what stands for them is looked at. */
	if (credentials_resolve(asked->question.options, asked->question.n_options, &option_name, &wrong) ==
	    CREDENTIALS_E_MISSING) {
		complain(&asked->context, option_name, 0, text_get(&wrong));
		return 0;
	}
	r = stage.check(&asked->context);
	if (r < 0)
		text_printf(why, "%s", strerror(-r));
	return r < 0 ? r : 0;
}

int check_stage_options(void)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct asked asked = { .context = { .host = &host } };
	int r = heritage_question_read(STDIN_FILENO, &asked.question), out = dup(STDOUT_FILENO);

	asked.answer = out < 0 ? NULL : fdopen(out, "w");
	if (!asked.answer || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
		text_printf(&why, "its answer can't be written: %s", strerror(errno));
	else if (r != 0)
		text_printf(&why, "the question is unusable: %s", r < 0 ? strerror(-r) : "another version, or damaged");
	else
		r = ask(&asked, &why);
	if (asked.answer && fclose(asked.answer) != 0)
		text_printf(&why, "its answer can't be written: %s", strerror(errno));
	heritage_question_deinit(&asked.question);
	if (text_get(&why)[0])
		fprintf(stderr, "%s\n", text_get(&why));
	return text_get(&why)[0] ? 1 : 0;
}
