/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "broker/spec/nearest.h"

void nearest_offer(struct nearest *nearest, const char *known)
{
	size_t length = strlen(nearest->word);
	unsigned distance = text_distance(nearest->word, known);
	unsigned limit = length / 3 > 2 ? (unsigned)(length / 3) : 2;

	/* A word of two letters is two edits away from everything. */
	if (distance > limit || distance >= length || (nearest->found && distance >= nearest->distance))
		return;
	nearest->found = known;
	nearest->distance = distance;
}

void nearest_offer_choices(struct nearest *nearest, const char *choices, char *storage, size_t storage_size)
{
	snprintf(storage, storage_size, "%s", choices);
	for (char *save, *word = strtok_r(storage, "|", &save); word; word = strtok_r(NULL, "|", &save))
		nearest_offer(nearest, word);
}

bool nearest_is(const char *word, const char *known)
{
	struct nearest nearest = NEAREST(word);

	nearest_offer(&nearest, known);
	return nearest.found;
}

const char *nearest_hint(const struct nearest *nearest, struct text *buffer)
{
	if (!nearest->found)
		return NULL;
	text_printf(buffer, "did you mean '%s'?", nearest->found);
	return text_get(buffer);
}
