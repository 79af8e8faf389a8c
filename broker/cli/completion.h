/* SPDX-License-Identifier: Apache-2.0 */
/* What a shell may complete, read off the tables of verbs and of kinds. Pure. */
#pragma once

#include <stdbool.h>

#include "common/base/text.h"

/*
 * The branches of a `case` in sh, one for each place of a command line:
 *
 *     'run options') reply='--set -s ...' ;;      which options a verb has
 *     'run --keep') reply='DIR' ;;                what an option takes; without a branch it takes nothing
 *     'dlq 1') reply='ls show ...' ;;             its first argument
 *
 * A word in capitals stands for a kind of words: completion_is_noun().
 */
void completion_words(struct text *text);
/* The same form: what a noun with a closed set of words stands for: VERB, KIND, CAUSE. */
void completion_nouns(struct text *text);
/* The same form, for zsh: 'run options') and '- verbs'), with an array of 'word:what it is'. */
void completion_told(struct text *text);

/* Whether the shells know how to complete it. */
bool completion_is_noun(const char *word);
