/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "broker/cli/dlq.h"
#include "broker/cli/table.h"
#include "common/base/quantity.h"

enum {
	COLUMN_ID,
	COLUMN_TIME,
	COLUMN_STAGE,
	COLUMN_CAUSE,
	COLUMN_ATTEMPTS,
	COLUMN_INPUT,
	COLUMN_SEQUENCE,
	COLUMN_SIZE,
	COLUMN_REASON,
	N_COLUMNS
};

static const struct table_column columns[N_COLUMNS] = {
	[COLUMN_ID] = { "ID", true, 9 },           [COLUMN_TIME] = { "TIME", false, 5 },
	[COLUMN_STAGE] = { "STAGE", false, 8 },    [COLUMN_CAUSE] = { "CAUSE", false, 7 },
	[COLUMN_ATTEMPTS] = { "LIVES", true, 3 },  [COLUMN_INPUT] = { "FROM", false, 2 },
	[COLUMN_SEQUENCE] = { "NUMBER", true, 1 }, [COLUMN_SIZE] = { "SIZE", true, 4 },
	[COLUMN_REASON] = { "REASON", false, 6 },
};

void dlq_format_rows(const struct dlq_row *rows, size_t n, size_t width, bool color, struct text *text)
{
	_cleanup_(table_deinit) struct table table = TABLE_NULL;

	table_init(&table, columns, N_COLUMNS, n);
	for (size_t i = 0; i < n; i++) {
		const struct dlq_row *row = &rows[i];
		_cleanup_(text_deinit) struct text time = TEXT_NULL;

		dead_letter_format_time(row->time_ns, &time);
		table_set(&table, i, COLUMN_ID, CELL_BOLD, "%" PRIu64, row->id);
		table_set(&table, i, COLUMN_TIME, CELL_PLAIN, "%s", text_get(&time));
		table_set(&table, i, COLUMN_STAGE, CELL_PLAIN, "%s", row->stage);
		table_set(&table, i, COLUMN_CAUSE, CELL_PLAIN, "%s", dead_letter_cause_name(row->cause));
		if (row->attempts)
			table_set(&table, i, COLUMN_ATTEMPTS, CELL_BAD, "%" PRIu32, row->attempts);
		table_set(&table, i, COLUMN_INPUT, CELL_PLAIN, "%s", row->input);
		table_set(&table, i, COLUMN_SEQUENCE, CELL_PLAIN, "%" PRIu64, row->sequence);
		table_set(&table, i, COLUMN_SIZE, CELL_PLAIN, "%zu", row->size_bytes);
		table_set(&table, i, COLUMN_REASON, CELL_PLAIN, "%s", row->reason);
	}
	table_format(&table, width, true, color, text);
}

/* What a terminal can be given: UTF-8 without control characters but line feed and tab. */
static bool is_readable(const char *bytes, size_t n)
{
	if (!text_is_utf8(bytes, n))
		return false;
	for (size_t i = 0; i < n; i++)
		if (iscntrl((unsigned char)bytes[i]) && bytes[i] != '\n' && bytes[i] != '\t')
			return false;
	return true;
}

static void add_hexadecimal(struct text *text, const unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i += 16) {
		text_printf(text, "  %08zx ", i);
		for (size_t j = i; j < i + 16; j++)
			if (j < n)
				text_printf(text, " %02x", bytes[j]);
			else
				text_add(text, "   ");
		text_add(text, "  ");
		for (size_t j = i; j < i + 16 && j < n; j++)
			text_add_char(text, bytes[j] >= 0x20 && bytes[j] < 0x7f ? (char)bytes[j] : '.');
		text_add_char(text, '\n');
	}
}

/* A line whose words a stage has written: nothing in it may move the cursor. */
static void add_line(struct text *text, const char *name, const char *value)
{
	text_printf(text, "%-10s ", name);
	for (; *value; value++)
		text_add_char(text, iscntrl((unsigned char)*value) ? '?' : *value);
	text_add_char(text, '\n');
}

static void add_time_line(struct text *text, const char *name, uint64_t realtime_ns)
{
	text_printf(text, "%-10s ", name);
	dead_letter_format_time(realtime_ns, text);
	text_add_char(text, '\n');
}

static void add_deaths(struct text *text, const struct dead_letter *letter)
{
	for (uint32_t i = 0; i < letter->n_deaths; i++) {
		const struct dead_letter_death *death = &letter->deaths[i];

		text_printf(text, "%-10s ", i ? "" : "deaths");
		dead_letter_format_time(death->when_ns, text);
		if (death->pid)
			text_printf(text, " pid %d, generation %u", (int)death->pid, death->generation);
		text_add_char(text, ' ');
		text_add(text, death->how);
		text_add_char(text, '\n');
	}
}

/* Its scope, its deadline, and each pair: a key and what it says. */
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
		text_printf(text, "%-10s %" PRIu64 "\n", "scope", extension.scope);
	if (extension.deadline_ns)
		add_time_line(text, "deadline", extension.deadline_ns);
	for (bool first = true; extension_next(&extension, &at, &key, &key_bytes, &value, &value_bytes);
	     first = false) {
		_cleanup_(text_deinit) struct text pair = TEXT_NULL;

		text_printf(&pair, "%.*s: ", (int)key_bytes, key);
		text_add_json(&pair, value, value_bytes);
		add_line(text, first ? "baggage" : "", text_get(&pair));
	}
}

void dlq_format_letter(const struct dead_letter *letter, struct text *text)
{
	const char *bytes = letter->size_bytes ? letter->data : "";

	text_printf(text, "%-10s %" PRIu64 "\n", "id", letter->id);
	add_time_line(text, "time", letter->time_ns);
	add_line(text, "pipeline", letter->pipeline);
	add_line(text, "stage", letter->stage);
	text_printf(text, "%-10s %" PRIu32 "\n", "worker", letter->worker_index);
	add_line(text, "cause", dead_letter_cause_name(letter->cause));
	add_line(text, "reason", letter->reason);
	if (*letter->input)
		add_line(text, "from", letter->input);
	text_printf(text, "%-10s %" PRIu64 " of slot %" PRIu32 "\n", "number", letter->sequence, letter->producer);
	add_time_line(text, "accepted", letter->accepted_ns);
	add_time_line(text, "run of", letter->run);
	text_printf(text, "%-10s %" PRIu32 "\n", "attempts", letter->attempts);
	add_deaths(text, letter);
	add_baggage(text, letter);
	text_printf(text, "%-10s %zu bytes\n", "payload", letter->size_bytes);
	if (is_readable(bytes, letter->size_bytes)) {
		text_add_bytes(text, bytes, letter->size_bytes);
		if (letter->size_bytes && bytes[letter->size_bytes - 1] != '\n')
			text_add_char(text, '\n');
	} else {
		add_hexadecimal(text, (const unsigned char *)bytes, letter->size_bytes);
	}
}
