/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      12:03:04.123 read#0 -> price#1 at 1234560 item 42 gen 0, 64 B, 1.2 ms old, 17 between: {"id":42}
 *
 * A payload is anybody's bytes: nothing in it reaches a terminal that would be obeyed, or that would make a line look like another.
 */
#include "broker/cli/tap_text.h"

#include <inttypes.h>
#include <string.h>

#include "common/base/quantity.h"

/* ---- bytes ---- */

static void add_hex(struct text *text, const void *bytes, size_t size_bytes)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *s = bytes;

	for (size_t i = 0; i < size_bytes; i++) {
		text_add_char(text, digits[s[i] >> 4]);
		text_add_char(text, digits[s[i] & 15]);
	}
}

/* So many bytes of it are shown: not half a character of text. */
static size_t bytes_shown(const struct tap_payload *payload, const struct tap_style *style)
{
	const unsigned char *s = payload->shown;
	size_t n = payload->shown_bytes;

	if (!style->bytes_max || n <= style->bytes_max)
		return n;
	n = style->bytes_max;
	for (unsigned back = 0; payload->form != TAP_FORM_BYTES && back < 3 && n && (s[n] & 0xc0) == 0x80; back++)
		n--;
	return n;
}

/* ---- a line ---- */

static void add_worker(struct text *text, const char *stage, uint32_t worker, const char *outputs)
{
	text_printf(text, "%s#%" PRIu32 "%s%s", stage, worker, *outputs ? "." : "", outputs);
}

static void add_payload(const struct tap_shown *shown, const struct tap_style *style, struct text *text)
{
	const struct tap_payload *payload = shown->payload;
	size_t n = bytes_shown(payload, style);

	if (payload->form == TAP_FORM_WITHHELD)
		text_add(text, "(withheld: there is no telling where in it the redacted paths are)");
	else if (payload->form == TAP_FORM_GONE)
		text_add(text, "(passed on in another lane, and not held there any more)");
	else if (style->output == TAP_HEX || payload->form == TAP_FORM_BYTES)
		add_hex(text, payload->shown, n);
	else
		text_add_visible(text, payload->shown, n);
	if (n < payload->shown_bytes)
		text_printf(text, "... (%zu of %zu bytes)", n, payload->shown_bytes);
}

static void add_line(const struct tap_shown *shown, const struct tap_style *style, struct text *text)
{
	char size[QUANTITY_TEXT_SIZE], age[QUANTITY_TEXT_SIZE], clock[16];
	struct tm tm;

	localtime_r(&shown->time.tv_sec, &tm);
	strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	text_printf(text, "%s.%03ld ", clock, shown->time.tv_nsec / 1000000);
	add_worker(text, shown->from, shown->from_worker, shown->outputs);
	text_add(text, " -> ");
	add_worker(text, shown->to, shown->to_worker, "");
	text_printf(text, " at %" PRIu64 " item %" PRIu64 " gen %" PRIu32 ", %s, %s old", shown->position,
		    shown->sequence, shown->generation, quantity_format_size(shown->size_bytes, size),
		    quantity_format_duration(shown->age_ns, age));
	if (shown->between)
		text_printf(text, ", %" PRIu64 " between", shown->between);
	text_add(text, ": ");
	add_payload(shown, style, text);
	text_add_char(text, '\n');
}

/* ---- JSON ---- */

static void add_json_string(struct text *text, const char *name, const char *value)
{
	text_printf(text, ",\"%s\":", name);
	text_add_json(text, value, strlen(value));
}

static void add_json_payload(const struct tap_shown *shown, const struct tap_style *style, struct text *text)
{
	const struct tap_payload *payload = shown->payload;
	size_t n = bytes_shown(payload, style);
	bool whole = n == payload->shown_bytes;

	add_json_string(text, "form", tap_form_name(payload->form));
	text_printf(text, ",\"truncated\":%s", whole ? "false" : "true");
	if (payload->form == TAP_FORM_JSON && whole) {
		text_add(text, ",\"value\":");
		text_add_bytes(text, payload->shown, n);
	} else if (payload->form == TAP_FORM_BYTES) {
		text_add(text, ",\"hex\":\"");
		add_hex(text, payload->shown, n);
		text_add_char(text, '"');
	} else if (payload->form <= TAP_FORM_TEXT) {
		text_add(text, ",\"text\":");
		text_add_json(text, payload->shown, n);
	}
}

static void add_json(const struct tap_shown *shown, const struct tap_style *style, struct text *text)
{
	struct tm tm;
	char stamp[40];

	gmtime_r(&shown->time.tv_sec, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &tm);
	text_printf(text, "{\"time\":\"%s.%06ldZ\"", stamp, shown->time.tv_nsec / 1000);
	add_json_string(text, "from", shown->from);
	text_printf(text, ",\"from_worker\":%" PRIu32, shown->from_worker);
	add_json_string(text, "outputs", shown->outputs);
	add_json_string(text, "to", shown->to);
	text_printf(text,
		    ",\"to_worker\":%" PRIu32 ",\"position\":%" PRIu64 ",\"generation\":%" PRIu32
		    ",\"sequence\":%" PRIu64 ",\"size_bytes\":%" PRIu64 ",\"age_seconds\":%.9f,\"between\":%" PRIu64,
		    shown->to_worker, shown->position, shown->generation, shown->sequence, shown->size_bytes,
		    (double)shown->age_ns / 1e9, shown->between);
	add_json_payload(shown, style, text);
	text_add_char(text, '}');
}

static void add_json_line(const struct tap_shown *shown, const struct tap_style *style, struct text *text)
{
	_cleanup_(text_deinit) struct text line = TEXT_NULL;

	add_json(shown, style, &line);
	if (style->visible)
		text_add_json_visible(text, text_get(&line), line.length);
	else
		text_add_bytes(text, text_get(&line), line.length);
	text_add_char(text, '\n');
}

/* ---- the payload alone ---- */

static void add_raw(const struct tap_shown *shown, const struct tap_style *style, struct text *text)
{
	size_t n = bytes_shown(shown->payload, style);

	if (style->visible)
		text_add_visible(text, shown->payload->shown, n);
	else
		text_add_bytes(text, shown->payload->shown, n);
	text_add_char(text, '\n');
}

void tap_format(const struct tap_shown *shown, const struct tap_style *style, struct text *text)
{
	if (style->output == TAP_RAW)
		add_raw(shown, style, text);
	else if (style->output == TAP_JSON)
		add_json_line(shown, style, text);
	else
		add_line(shown, style, text);
}
