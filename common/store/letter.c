/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/store/letter.h"

static const struct {
	enum dead_letter_cause cause;
	const char *name;
} causes[] = {
#define LETTER_CAUSE(id_, number_, name_, summary_) { DEAD_LETTER_##id_, name_ },
#include "common/store/letter_cause.def"
#undef LETTER_CAUSE
};
#define N_CAUSES (sizeof(causes) / sizeof(causes[0]))

const char *dead_letter_cause_name(enum dead_letter_cause cause)
{
	for (size_t i = 0; i < N_CAUSES; i++)
		if (causes[i].cause == cause)
			return causes[i].name;
	return "unknown";
}

bool dead_letter_cause_from_name(const char *name, enum dead_letter_cause *ret_cause)
{
	for (size_t i = 0; i < N_CAUSES; i++)
		if (strcmp(causes[i].name, name) == 0) {
			*ret_cause = causes[i].cause;
			return true;
		}
	return false;
}

void dead_letter_format_time(uint64_t realtime_ns, struct text *text)
{
	time_t seconds = (time_t)(realtime_ns / NS_PER_S);
	struct tm utc;
	char day[32];

	if (!realtime_ns || !gmtime_r(&seconds, &utc)) {
		text_add(text, "unknown");
		return;
	}
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &utc);
	text_printf(text, "%s.%03uZ", day, (unsigned)(realtime_ns % NS_PER_S / NS_PER_MS));
}

static void add_base64(struct text *text, const unsigned char *bytes, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	text_add_char(text, '"');
	for (size_t i = 0; i < n; i += 3) {
		unsigned word = (unsigned)bytes[i] << 16 | (i + 1 < n ? (unsigned)bytes[i + 1] << 8 : 0) |
				(i + 2 < n ? bytes[i + 2] : 0);

		text_add_char(text, digits[word >> 18]);
		text_add_char(text, digits[word >> 12 & 63]);
		text_add_char(text, i + 1 < n ? digits[word >> 6 & 63] : '=');
		text_add_char(text, i + 2 < n ? digits[word & 63] : '=');
	}
	text_add_char(text, '"');
}

static void add_string(struct text *text, const char *key, const char *value)
{
	text_printf(text, ",\"%s\":", key);
	text_add_json(text, value ? value : "", value ? strlen(value) : 0);
}

static void add_time(struct text *text, const char *key, uint64_t realtime_ns)
{
	text_printf(text, "\"%s\":", key);
	if (!realtime_ns) {
		text_add(text, "null");
		return;
	}
	text_add_char(text, '"');
	dead_letter_format_time(realtime_ns, text);
	text_add_char(text, '"');
}

static void add_payload(struct text *text, const struct dead_letter *letter)
{
	const char *data = letter->size_bytes ? letter->data : "";

	if (text_is_utf8(data, letter->size_bytes)) {
		text_add(text, ",\"payload\":");
		text_add_json(text, data, letter->size_bytes);
	} else {
		text_add(text, ",\"payload_base64\":");
		add_base64(text, (const unsigned char *)data, letter->size_bytes);
	}
}

static void add_history(struct text *text, const struct dead_letter *letter)
{
	text_add_char(text, ',');
	add_time(text, "accepted", letter->accepted_ns);
	text_printf(text, ",\"run\":%llu,\"producer\":%u,\"deaths\":[", (unsigned long long)letter->run,
		    letter->producer);
	for (uint32_t i = 0; i < letter->n_deaths; i++) {
		const struct dead_letter_death *death = &letter->deaths[i];

		text_add(text, i ? ",{" : "{");
		add_time(text, "time", death->when_ns);
		text_printf(text, ",\"pid\":%d,\"generation\":%u", (int)death->pid, death->generation);
		add_string(text, "how", death->how);
		text_add_char(text, '}');
	}
	text_add_char(text, ']');
}

/* "scope", "deadline" and "baggage", where there are such. */
static void add_baggage(struct text *text, const struct dead_letter *letter)
{
	struct extension extension;
	const char *key;
	const void *value;
	size_t key_bytes, value_bytes;
	uint32_t at = 0;

	if (!dead_letter_extension(letter, &extension))
		return;
	if (extension.scope)
		text_printf(text, ",\"scope\":%llu", (unsigned long long)extension.scope);
	if (extension.deadline_ns) {
		text_add_char(text, ',');
		add_time(text, "deadline", extension.deadline_ns);
	}
	while (extension_next(&extension, &at, &key, &key_bytes, &value, &value_bytes)) {
		text_add(text, key == (const char *)extension.baggage + sizeof(struct extension_pair) ?
				       ",\"baggage\":{" :
				       ",");
		text_add_json(text, key, key_bytes);
		text_add_char(text, ':');
		text_add_json(text, value, value_bytes);
	}
	if (extension.baggage_bytes)
		text_add_char(text, '}');
}

void dead_letter_format_json(const struct dead_letter *letter, enum letter_payload payload, struct text *text)
{
	text_add_char(text, '{');
	if (letter->id)
		text_printf(text, "\"id\":%llu,", (unsigned long long)letter->id);
	add_time(text, "time", letter->time_ns);
	add_string(text, "pipeline", letter->pipeline);
	add_string(text, "stage", letter->stage);
	text_printf(text, ",\"worker\":%u", letter->worker_index);
	add_string(text, "cause", dead_letter_cause_name(letter->cause));
	add_string(text, "reason", letter->reason);
	text_printf(text, ",\"attempts\":%u,\"sequence\":%llu", letter->attempts, (unsigned long long)letter->sequence);
	add_string(text, "input", letter->input);
	text_printf(text, ",\"size\":%zu", letter->size_bytes);
	add_baggage(text, letter);
	if (letter->id)
		add_history(text, letter);
	if (payload == LETTER_WITH_PAYLOAD)
		add_payload(text, letter);
	text_add_char(text, '}');
}

bool dead_letter_extension(const struct dead_letter *letter, struct extension *ret_extension)
{
	return letter->baggage_bytes && letter->baggage_bytes <= ITEM_EXTENSION_SIZE_MAX &&
	       letter->baggage_bytes % ITEM_WORD_BYTES == 0 &&
	       extension_read(ret_extension, letter->baggage, (uint32_t)(letter->baggage_bytes / ITEM_WORD_BYTES)) == 0;
}

static unsigned char *add_number(unsigned char *at, uint64_t value, unsigned n_bytes)
{
	for (unsigned i = 0; i < n_bytes; i++)
		*at++ = (unsigned char)(value >> 8 * (n_bytes - 1 - i));
	return at;
}

size_t dead_letter_identity(const struct dead_letter *letter, unsigned char ret_identity[LETTER_IDENTITY_MAX])
{
	unsigned char *at = ret_identity;
	size_t length = strnlen(letter->stage, LETTER_IDENTITY_MAX - 28);

	at = add_number(at, letter->run, 8);
	at = add_number(at, letter->producer, 4);
	at = add_number(at, letter->sequence, 8);
	at = add_number(at, letter->part, 8);
	memcpy(at, letter->stage, length);
	return (size_t)(at - ret_identity) + length;
}
