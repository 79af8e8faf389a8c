/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pipeline as lines with rails, as people know it from histories of branches:
 *
 *     o   read    source file orders.txt
 *     |-.                                      a rail is one edge on its way down to the stage that reads from it;
 *     o |  price   exec awk ...                a stage takes the column of its first input, other inputs join it there,
 *     | |                                      and further outputs take free columns to the right
 *     | o  count   exec wc -l
 *     |-'
 *     o   show    sink stdout
 *
 * An edge that leads back is not drawn: the stage that it leads to says where it comes from.
 * Stages are shown as early as their inputs allow, and among those in the order of the file.
 */
#include <stdlib.h>
#include <string.h>

#include "broker/cli/graph.h"
#include "common/base/must.h"
#include "common/base/quantity.h"

#define NO_EDGE UINT32_MAX
#define SPACED_STAGES_MAX 24u /* longer pipelines are drawn without empty lines between */

enum glyph {
	GLYPH_NODE,
	GLYPH_RAIL,
	GLYPH_TEE,
	GLYPH_BAR,
	GLYPH_CROSS,
	GLYPH_FORK,
	GLYPH_FORK_LAST,
	GLYPH_JOIN,
	GLYPH_JOIN_LAST,
	GLYPH_SPACE
};
static const char *const glyphs[2][10] = {
	{ "o", "|", "|", "-", "+", ".", ".", "'", "'", " " },
	{ "●", "│", "├", "─", "┼", "┬", "╮", "┴", "╯", " " },
};

struct line {
	struct text rails;
	uint32_t n_columns;
	uint32_t stage; /* n_stages: none */
};

struct drawing {
	const struct plan *plan;
	bool utf8;
	uint32_t *rails; /* by column: the edge, or NO_EDGE */
	uint32_t n_rails;
	bool *mark; /* by column: takes part in the fork or join being drawn */
	struct line *lines;
	uint32_t n_lines, n_columns_max;
};

static void add_glyph(const struct drawing *drawing, struct text *text, enum glyph glyph)
{
	text_add(text, glyphs[drawing->utf8][glyph]);
}

static struct line *new_line(struct drawing *drawing, uint32_t stage)
{
	struct line *line;

	drawing->lines = realloc(drawing->lines, (drawing->n_lines + 1) * sizeof(*drawing->lines));
	must(drawing->lines);
	line = &drawing->lines[drawing->n_lines++];
	*line = (struct line){ .rails = TEXT_NULL, .n_columns = drawing->n_rails, .stage = stage };
	if (drawing->n_rails > drawing->n_columns_max)
		drawing->n_columns_max = drawing->n_rails;
	return line;
}

/* A line with the stage's node at its column (or none), and all other rails passing. */
static void draw_node(struct drawing *drawing, uint32_t stage, uint32_t column)
{
	struct line *line = new_line(drawing, stage);

	for (uint32_t i = 0; i < drawing->n_rails; i++) {
		bool rail = drawing->rails[i] != NO_EDGE;

		add_glyph(drawing, &line->rails,
			  stage < drawing->plan->n_stages && i == column ? GLYPH_NODE :
			  rail                                           ? GLYPH_RAIL :
									   GLYPH_SPACE);
		add_glyph(drawing, &line->rails, GLYPH_SPACE);
	}
}

/* A line that leads from `column` to the marked columns right of it (fork), or from them to it (join). */
static void draw_branch(struct drawing *drawing, uint32_t column, bool fork)
{
	struct line *line = new_line(drawing, drawing->plan->n_stages);
	uint32_t last = column;

	for (uint32_t i = column + 1; i < drawing->n_rails; i++)
		if (drawing->mark[i])
			last = i;
	for (uint32_t i = 0; i < drawing->n_rails; i++) {
		bool rail = drawing->rails[i] != NO_EDGE, within = i > column && i <= last;
		enum glyph glyph = rail ? GLYPH_RAIL : GLYPH_SPACE;

		if (i == column)
			glyph = GLYPH_TEE;
		else if (within && drawing->mark[i])
			glyph = i == last ? (fork ? GLYPH_FORK_LAST : GLYPH_JOIN_LAST) : fork ? GLYPH_FORK : GLYPH_JOIN;
		else if (within)
			glyph = rail ? GLYPH_CROSS : GLYPH_BAR;
		add_glyph(drawing, &line->rails, glyph);
		add_glyph(drawing, &line->rails, i >= column && i < last ? GLYPH_BAR : GLYPH_SPACE);
	}
}

/* Brings all inputs of the stage into the column of the first, and returns it; a free one for a source. */
static uint32_t join_inputs(struct drawing *drawing, uint32_t stage)
{
	uint32_t column = NO_EDGE, n = 0;

	for (uint32_t i = 0; i < drawing->n_rails; i++) {
		bool mine = drawing->rails[i] != NO_EDGE && drawing->plan->edges[drawing->rails[i]].to == stage;

		drawing->mark[i] = mine && n > 0;
		if (mine && n++ == 0)
			column = i;
	}
	if (n > 1)
		draw_branch(drawing, column, false);
	for (uint32_t i = 0; n > 1 && i < drawing->n_rails; i++)
		if (drawing->mark[i])
			drawing->rails[i] = NO_EDGE;
	for (uint32_t i = 0; n == 0 && column == NO_EDGE && i < drawing->n_rails; i++)
		if (drawing->rails[i] == NO_EDGE)
			column = i;
	return column == NO_EDGE ? drawing->n_rails++ : column;
}

static void fork_outputs(struct drawing *drawing, uint32_t stage, uint32_t column)
{
	const struct plan_stage *planned = &drawing->plan->stages[stage];
	uint32_t at = column, n = 0;

	memset(drawing->mark, 0, drawing->plan->n_edges + drawing->plan->n_stages);
	drawing->rails[column] = NO_EDGE;
	for (uint32_t i = 0; i < planned->n_outputs; i++) {
		if (drawing->plan->edges[planned->outputs[i]].feedback)
			continue; /* its reader is above, and says so */
		if (n++ == 0) {
			drawing->rails[column] = planned->outputs[i];
			continue;
		}
		for (at++; at < drawing->n_rails && drawing->rails[at] != NO_EDGE; at++)
			;
		if (at >= drawing->n_rails)
			drawing->n_rails = at + 1;
		drawing->rails[at] = planned->outputs[i];
		drawing->mark[at] = true;
	}
	if (n > 1)
		draw_branch(drawing, column, true);
	while (drawing->n_rails && drawing->rails[drawing->n_rails - 1] == NO_EDGE)
		drawing->n_rails--;
}

static bool is_ready(const struct plan *plan, const bool *drawn, uint32_t stage)
{
	for (uint32_t i = 0; i < plan->stages[stage].n_inputs; i++) {
		const struct plan_edge *edge = &plan->edges[plan->stages[stage].inputs[i]];

		if (!edge->feedback && !drawn[edge->from])
			return false;
	}
	return !drawn[stage];
}

static void draw_stages(struct drawing *drawing)
{
	const struct plan *plan = drawing->plan;
	bool *drawn = calloc(plan->n_stages, sizeof(*drawn));

	must(drawn);
	for (uint32_t n = 0; n < plan->n_stages; n++) {
		uint32_t stage = 0, lines = drawing->n_lines, column;

		while (!is_ready(plan, drawn, stage)) /* there is one: without feedback edges the plan has no cycles */
			stage++;
		column = join_inputs(drawing, stage);
		if (n && drawing->n_lines == lines && plan->n_stages <= SPACED_STAGES_MAX &&
		    drawing->lines[lines - 1].stage < plan->n_stages)
			draw_node(drawing, plan->n_stages, 0);
		if (drawing->rails[column] == NO_EDGE && column + 1 > drawing->n_rails)
			drawing->n_rails = column + 1;
		draw_node(drawing, stage, column);
		fork_outputs(drawing, stage, column);
		drawn[stage] = true;
	}
	free(drawn);
}

static void add_label(const struct plan *plan, uint32_t index, size_t name_width, size_t what_width, struct text *text)
{
	_cleanup_(text_deinit) struct text what = TEXT_NULL, manner = TEXT_NULL;
	const struct plan_stage *stage = &plan->stages[index];

	graph_what(stage, &what);
	graph_manner(plan, stage, &manner);
	text_printf(text, "  %-*s  %s", (int)name_width, stage->name, text_get(&what));
	if (manner.length)
		text_printf(text, "%*s  %s", (int)(what_width > what.length ? what_width - what.length : 0), "",
			    text_get(&manner));
}

static void add_lines(const struct drawing *drawing, struct text *text)
{
	const struct plan *plan = drawing->plan;
	size_t name_width = 0, what_width = 0;

	for (uint32_t i = 0; i < plan->n_stages; i++) {
		_cleanup_(text_deinit) struct text what = TEXT_NULL;
		size_t length = strlen(plan->stages[i].name);

		graph_what(&plan->stages[i], &what);
		name_width = length > name_width ? length : name_width;
		what_width = what.length > what_width ? what.length : what_width;
	}
	for (uint32_t i = 0; i < drawing->n_lines; i++) {
		const struct line *line = &drawing->lines[i];

		text_printf(text, "  %s", text_get(&line->rails));
		if (line->stage < plan->n_stages) {
			text_printf(text, "%*s", (int)(2 * (drawing->n_columns_max - line->n_columns)), "");
			add_label(plan, line->stage, name_width, what_width, text);
		}
		while (text->data[text->length - 1] == ' ')
			text->data[--text->length] = '\0';
		text_add_char(text, '\n');
	}
}

void graph_text(const struct plan *plan, bool utf8, struct text *text)
{
	size_t n_columns = (size_t)plan->n_edges + plan->n_stages; /* more than can be in use */
	struct drawing drawing = { .plan = plan, .utf8 = utf8 };
	char size[QUANTITY_TEXT_SIZE];

	drawing.rails = malloc(n_columns * sizeof(*drawing.rails));
	drawing.mark = calloc(n_columns, sizeof(*drawing.mark));
	must(drawing.rails && drawing.mark);
	for (size_t i = 0; i < n_columns; i++)
		drawing.rails[i] = NO_EDGE;
	draw_stages(&drawing);
	text_printf(text, "%s: %u stages, %u workers, memory at most %s, %s\n\n", plan->pipeline, plan->n_stages,
		    plan->n_slots, quantity_format_size(plan->memory_bound_bytes, size),
		    plan->finite ? "ends with its input" : "runs until it is stopped");
	add_lines(&drawing, text);
	for (uint32_t i = 0; i < drawing.n_lines; i++)
		text_deinit(&drawing.lines[i].rails);
	free(drawing.lines);
	free(drawing.rails);
	free(drawing.mark);
}
