/* SPDX-License-Identifier: Apache-2.0 */
/* The known word that an unknown one was probably meant to be. */
#pragma once

#include "common/base/text.h"

struct nearest {
	const char *word;  /* what was written */
	const char *found; /* nearest so far; NULL: none is near */
	unsigned distance;
};
#define NEAREST(word_)           \
	{                        \
		(word_), NULL, 0 \
	}

/* One more known word; borrowed. */
void nearest_offer(struct nearest *nearest, const char *known);
/* Every word of a '|' list; kept in storage, which must live as long as nearest->found is used. */
void nearest_offer_choices(struct nearest *nearest, const char *choices, char *storage, size_t storage_size);
/* Is word probably meant to be known? */
bool nearest_is(const char *word, const char *known);
/* "did you mean 'x'?" in buffer, or NULL if nothing is near. */
const char *nearest_hint(const struct nearest *nearest, struct text *buffer);
