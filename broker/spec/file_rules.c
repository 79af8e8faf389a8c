/* SPDX-License-Identifier: Apache-2.0 */
/* Files: what the options of one source or sink mean together. */
#include <string.h>

#include "broker/spec/reading.h"

static struct spec_position place(const struct plan_stage *stage, const char *name)
{
	const struct heritage_option *option = plan_option(stage, name);

	return option && (option->line || option->column) ? (struct spec_position){ option->line, option->column } :
							    stage->kind_position;
}

static int64_t number(const struct plan_stage *stage, const char *name)
{
	const struct heritage_option *option = plan_option(stage, name);

	return option ? option->number : 0;
}

static bool is(const struct plan_stage *stage, const char *name, const char *word)
{
	const struct heritage_option *option = plan_option(stage, name);

	return option && option->string && strcmp(option->string, word) == 0;
}

static bool is_kind(const struct stage_reading *stage, enum weir_role role)
{
	return stage->descriptor && !stage->description && stage->descriptor->role == role &&
	       strcmp(stage->descriptor->name, "file") == 0;
}

/* Options that only a followed file has. */
static void check_source(struct reading *reading, const struct plan_stage *planned)
{
	static const char *const of_follow[] = { "resume", "start", "rotated_wait", "look_every", "open_files" };

	for (size_t i = 0; !number(planned, "follow") && i < sizeof(of_follow) / sizeof(of_follow[0]); i++) {
		const struct heritage_option *option = plan_option(planned, of_follow[i]);

		if (option && option->line)
			reading_warning(reading, place(planned, of_follow[i]), NULL,
					"%s has no effect without follow: true", of_follow[i]);
	}
}

static void check_rotation(struct reading *reading, const struct plan_stage *planned, bool many)
{
	static const char *const rotations[] = { "rotate_size", "rotate_every" };

	for (size_t i = 0; !many && i < 2; i++)
		if (number(planned, rotations[i])) {
			reading_error(reading, place(planned, rotations[i]), "for example path: out-{n}.log",
				      "%s makes many files: put {n} or {time} into the path", rotations[i]);
			return;
		}
	if (many && is(planned, "encode", "csv") && number(planned, "encode.header"))
		reading_error(reading, place(planned, "encode"), "encode: {format: csv, header: false, ...}",
			      "the header of csv is written once, and there are many files: say header: false");
}

static void check_sink(struct reading *reading, const struct plan_stage *planned)
{
	const struct heritage_option *path = plan_option(planned, "path");
	bool many, finished;

	if (!path || !path->string)
		return;
	many = strstr(path->string, "{n}") || strstr(path->string, "{time}");
	finished = many || number(planned, "atomic") || is(planned, "compress", "gzip");
	check_rotation(reading, planned, many);
	if (!many && finished && is(planned, "existing", "append"))
		reading_error(reading, place(planned, "existing"), "put {n} or {time} into the path",
			      "a finished file is never written again, so nothing can be appended to it");
}

void reading_file_rules(struct reading *reading, uint32_t index)
{
	struct plan_stage *planned = &reading->plan->stages[index];

	if (is_kind(&reading->stages[index], WEIR_SOURCE)) {
		check_source(reading, planned);
		planned->keeps = number(planned, "follow") && number(planned, "resume");
	}
	if (is_kind(&reading->stages[index], WEIR_SINK))
		check_sink(reading, planned);
}
