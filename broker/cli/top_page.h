/* SPDX-License-Identifier: Apache-2.0 */
/* The page that `weir top` shows. Pure: what is known and where somebody is, text out. */
#pragma once

#include "broker/cli/live.h"
#include "broker/cli/top_state.h"

/*
 * Appends the page: at most style->rows lines (0: as many as there are), none as wide as the terminal. Without rows, for a program or a
 * file: no mark, no keys. Returns the number of lines.
 */
size_t top_page(const struct top_state *state, const struct top_picture *picture, const struct live_style *style,
		struct text *text);
/* Appends what is known as one line of JSON with its '\n'; view not NULL. */
void top_json(const struct top_picture *picture, struct text *text);
