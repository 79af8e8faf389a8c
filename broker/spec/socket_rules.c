/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets that a source listens at: what their options mean, which records come over them, and who answers. */
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "broker/spec/reading.h"
#include "common/stage/listen_address.h"

#define MODE_MAX 0777

static struct spec_position place(const struct plan_stage *stage, const char *name)
{
	const struct heritage_option *option = plan_option(stage, name);

	return option && (option->line || option->column) ? (struct spec_position){ option->line, option->column } :
							    stage->kind_position;
}

static const char *string(const struct plan_stage *stage, const char *name)
{
	const struct heritage_option *option = plan_option(stage, name);

	return option ? option->string : NULL;
}

static bool is_kind_of(const struct stage_reading *stage, enum weir_role role, const char *name)
{
	return stage->descriptor && !stage->description && stage->descriptor->role == role &&
	       strcmp(stage->descriptor->name, name) == 0;
}

static bool is_kind(const struct stage_reading *stage, const char *name)
{
	return is_kind_of(stage, WEIR_SOURCE, name);
}

static bool says(const struct plan_stage *stage, const char *option, const char *word)
{
	const char *said = string(stage, option);

	return said && strcmp(said, word) == 0;
}

static void check_listen(struct reading *reading, const struct plan_stage *planned)
{
	const char *listen = string(planned, "listen");
	struct listen_address address;
	const char *why = listen ? listen_address_parse(listen, &address) : NULL;

	if (why)
		reading_error(reading, place(planned, "listen"), NULL, "listen '%s' is wrong: %s", listen, why);
}

static void check_path(struct reading *reading, const struct plan_stage *planned)
{
	const char *path = string(planned, "path"), *mode = string(planned, "mode");
	size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	unsigned long bits;
	char *end;

	if (path && strlen(path) > max)
		reading_error(reading, place(planned, "path"), NULL,
			      "a socket's path has at most %zu bytes, and this has %zu", max, strlen(path));
	if (!mode)
		return;
	bits = strtoul(mode, &end, 8);
	if (!*mode || *end || bits > MODE_MAX)
		reading_error(reading, place(planned, "mode"), NULL,
			      "mode '%s' is wrong: expected octal digits, for example '0660'", mode);
}

/* One stream has one header; here are many at a time. */
static void check_header(struct reading *reading, const struct plan_stage *planned)
{
	const char *decode = string(planned, "decode");
	const struct heritage_option *header = plan_option(planned, "decode.header");

	if (decode && !strcmp(decode, "csv") && header && header->number)
		reading_error(reading, place(planned, "decode"), "decode: {format: csv, columns: [a, b]}",
			      "many connections have no header in common: say the names");
}

static void check_decode(struct reading *reading, const struct plan_stage *planned)
{
	const char *decode = string(planned, "decode");

	if (decode && !strcmp(decode, "msgpack"))
		reading_error(
			reading, place(planned, "decode"), NULL,
			"what comes over a socket is cut at newlines, which msgpack does not have: let them send json");
	check_header(reading, planned);
}

static void check_shared(struct reading *reading, uint32_t index, const char *option)
{
	const struct plan_stage *planned = &reading->plan->stages[index];
	const char *mine = string(planned, option);

	for (uint32_t i = 0; mine && i < index; i++) {
		const struct plan_stage *other = &reading->plan->stages[i];
		const char *theirs = is_kind(&reading->stages[i], reading->stages[index].descriptor->name) ?
					     string(other, option) :
					     NULL;

		if (theirs && strcmp(mine, theirs) == 0)
			reading_error(reading, place(planned, option), NULL, "stage '%s' listens at '%s' already",
				      other->name ? other->name : "?", mine);
	}
}

/* ---- replies: the source that is asked, and the sink that has them ---- */

static bool has_replies(const struct reading *reading, uint32_t index)
{
	return is_kind(&reading->stages[index], "zmq") && says(&reading->plan->stages[index], "answer", "reply");
}

static bool gives_replies(const struct reading *reading, uint32_t index)
{
	return is_kind_of(&reading->stages[index], WEIR_SINK, "zmq") &&
	       says(&reading->plan->stages[index], "type", "reply");
}

static void check_has_replies(struct reading *reading, uint32_t index)
{
	const struct plan_stage *planned = &reading->plan->stages[index];

	for (uint32_t i = 0; i < reading->n_stages; i++)
		if (planned->name && gives_replies(reading, i) && says(&reading->plan->stages[i], "to", planned->name))
			return;
	reading_error(reading, place(planned, "answer"), "- {name: tell, from: ..., sink: zmq, type: reply, to: ...}",
		      "nobody replies: no sink: zmq with type: reply says `to: %s`",
		      planned->name ? planned->name : "?");
}

static void check_gives_replies(struct reading *reading, uint32_t index)
{
	const struct plan_stage *planned = &reading->plan->stages[index];
	const char *to = string(planned, "to");

	for (uint32_t i = 0; to && i < reading->n_stages; i++)
		if (has_replies(reading, i) && says(planned, "to", reading->plan->stages[i].name))
			return;
	if (to)
		reading_error(reading, place(planned, "to"), NULL,
			      "'%s' is no source: zmq with answer: reply in this pipeline", to);
}

void reading_socket_rules(struct reading *reading, uint32_t index)
{
	const struct stage_reading *stage = &reading->stages[index];
	const struct plan_stage *planned = &reading->plan->stages[index];

	if (is_kind(stage, "tcp")) {
		check_listen(reading, planned);
		check_shared(reading, index, "listen");
	} else if (is_kind(stage, "unix")) {
		check_path(reading, planned);
		check_shared(reading, index, "path");
	} else if (is_kind(stage, "http")) { /* each request is a stream of its own, with its own header */
		check_listen(reading, planned);
		check_shared(reading, index, "listen");
		return;
	} else {
		if (is_kind(stage, "zmq"))
			check_header(reading, planned);
		if (has_replies(reading, index))
			check_has_replies(reading, index);
		if (gives_replies(reading, index))
			check_gives_replies(reading, index);
		return;
	}
	check_decode(reading, planned);
}
