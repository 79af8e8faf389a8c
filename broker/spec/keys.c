/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "broker/spec/keys.h"
#include "common/stage/registry.h"

#define KEY_MS INT64_C(1000000)
#define KEY_DAY INT64_C(86400000000000)
#define COUNT(array_) (sizeof(array_) / sizeof((array_)[0]))
#define KEY(id_, name_, type_, required_, fallback_, choices_, minimum_, maximum_, summary_, example_) \
	{ .name = name_,                                                                               \
	  .type = (enum weir_option_type)(type_),                                                      \
	  .required = required_,                                                                       \
	  .fallback = fallback_,                                                                       \
	  .choices = choices_,                                                                         \
	  .minimum = minimum_,                                                                         \
	  .maximum = maximum_,                                                                         \
	  .summary = summary_,                                                                         \
	  .example = example_ },

static const struct weir_option top[] = {
#define KEY_TOP KEY
#include "broker/spec/keys.def"
};
static const struct weir_option stage[] = {
#define KEY_STAGE KEY
#include "broker/spec/keys.def"
};
static const struct weir_option dead_letter[] = {
#define KEY_DEAD_LETTER KEY
#include "broker/spec/keys.def"
};
static const struct weir_option restart[] = {
#define KEY_RESTART KEY
#include "broker/spec/keys.def"
};
static const struct weir_option workers[] = {
#define KEY_WORKERS KEY
#include "broker/spec/keys.def"
};
static const struct weir_option canary[] = {
#define KEY_CANARY KEY
#include "broker/spec/keys.def"
};
static const struct weir_option feedback[] = {
#define KEY_FEEDBACK KEY
#include "broker/spec/keys.def"
};
static const struct weir_option decode[] = {
#define KEY_DECODE KEY
#include "broker/spec/keys.def"
};
static const struct weir_option encode[] = {
#define KEY_ENCODE KEY
#include "broker/spec/keys.def"
};
static const struct weir_option sandbox[] = {
#define KEY_SANDBOX KEY
#include "broker/spec/keys.def"
};
static const struct weir_option resources[] = {
#define KEY_RESOURCES KEY
#include "broker/spec/keys.def"
};
static_assert(COUNT(top) <= KEYS_MAX && COUNT(stage) <= KEYS_MAX, "room for the values");

const struct key_table keys_top = { "a spec", top, COUNT(top) };
const struct key_table keys_stage = { "a stage", stage, COUNT(stage) };
const struct key_table keys_dead_letter = { "dead_letter", dead_letter, COUNT(dead_letter) };
const struct key_table keys_restart = { "restart", restart, COUNT(restart) };
const struct key_table keys_workers = { "workers", workers, COUNT(workers) };
const struct key_table keys_canary = { "canary", canary, COUNT(canary) };
const struct key_table keys_feedback = { "a feedback edge", feedback, COUNT(feedback) };
const struct key_table keys_decode = { "decode", decode, COUNT(decode) };
const struct key_table keys_encode = { "encode", encode, COUNT(encode) };
const struct key_table keys_sandbox = { "sandbox", sandbox, COUNT(sandbox) };
const struct key_table keys_resources = { "resources", resources, COUNT(resources) };

const struct key_section key_sections[] = {
	{ "The top of a spec", &keys_top },
	{ "Every stage", &keys_stage },
	{ "`dead_letter`", &keys_dead_letter },
	{ "`decode`", &keys_decode },
	{ "`encode`", &keys_encode },
	{ "`restart`", &keys_restart },
	{ "`canary`", &keys_canary },
	{ "`sandbox`", &keys_sandbox },
	{ "`resources`", &keys_resources },
	{ "`workers`", &keys_workers },
	{ "A feedback edge in `from`", &keys_feedback },
};
const size_t n_key_sections = COUNT(key_sections);

const char *key_type_name(int type)
{
	switch (type) {
	case KEY_TYPE_NAME:
		return "name";
	case KEY_TYPE_KIND:
		return "kind";
	case KEY_TYPE_STAGES:
		return "list of stages";
	case KEY_TYPE_DEAD_LETTER:
	case KEY_TYPE_RESTART:
	case KEY_TYPE_CANARY:
	case KEY_TYPE_RESOURCES:
		return "map";
	case KEY_TYPE_FROM:
		return "list";
	case KEY_TYPE_WORKERS:
		return "integer or map";
	case KEY_TYPE_BALANCE:
		return "choice";
	case KEY_TYPE_EXPIRES:
		return "duration, within(EXPR) or at(EXPR)";
	case KEY_TYPE_SANDBOX:
		return "strict, off, or map";
	case KEY_TYPE_RECORD:
		return "format or map";
	default:
		return stage_option_type_name((enum weir_option_type)type);
	}
}

const char *key_type_article(int type)
{
	return type == WEIR_TYPE_INTEGER || type == KEY_TYPE_WORKERS ? "an" : "a";
}

int key_find(const struct key_table *table, const char *name)
{
	for (size_t i = 0; i < table->n; i++)
		if (strcmp(table->keys[i].name, name) == 0)
			return (int)i;
	return -1;
}
