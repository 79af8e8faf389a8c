/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of a spec, as data. They are options like those of a stage kind, plus a few types that only weir itself reads. */
#pragma once

#include <stddef.h>
#include <weir/stage.h>

enum key_type {
	KEY_TYPE_NAME = 100,  /* a word of the names' alphabet */
	KEY_TYPE_KIND,        /* the name of a stage kind */
	KEY_TYPE_STAGES,      /* list of stages */
	KEY_TYPE_DEAD_LETTER, /* map of dead_letter keys */
	KEY_TYPE_RESTART,     /* map of restart keys */
	KEY_TYPE_CANARY,      /* map of canary keys */
	KEY_TYPE_FROM,        /* list of names, and of maps of feedback keys */
	KEY_TYPE_BALANCE,     /* a choice, or key(EXPR) */
	KEY_TYPE_EXPIRES,     /* a duration, within(EXPR), or at(EXPR) */
	KEY_TYPE_SANDBOX,     /* strict, off, or a map of sandbox keys */
	KEY_TYPE_RESOURCES,   /* map of resources keys */
	KEY_TYPE_WORKERS,     /* a number, or a map of workers keys */
	KEY_TYPE_RECORD,      /* a format, or a map of decode or encode keys */
};

enum {
	TOP_KEY_NONE = -1,
#define KEY_TOP(id_, ...) TOP_KEY_##id_,
#include "broker/spec/keys.def"
	TOP_KEY_COUNT
};
enum {
	STAGE_KEY_NONE = -1,
#define KEY_STAGE(id_, ...) STAGE_KEY_##id_,
#include "broker/spec/keys.def"
	STAGE_KEY_COUNT
};
enum {
	DEAD_LETTER_KEY_NONE = -1,
#define KEY_DEAD_LETTER(id_, ...) DEAD_LETTER_KEY_##id_,
#include "broker/spec/keys.def"
	DEAD_LETTER_KEY_COUNT
};
enum {
	RESTART_KEY_NONE = -1,
#define KEY_RESTART(id_, ...) RESTART_KEY_##id_,
#include "broker/spec/keys.def"
	RESTART_KEY_COUNT
};
enum {
	WORKERS_KEY_NONE = -1,
#define KEY_WORKERS(id_, ...) WORKERS_KEY_##id_,
#include "broker/spec/keys.def"
	WORKERS_KEY_COUNT
};
enum {
	CANARY_KEY_NONE = -1,
#define KEY_CANARY(id_, ...) CANARY_KEY_##id_,
#include "broker/spec/keys.def"
	CANARY_KEY_COUNT
};
enum {
	FEEDBACK_KEY_NONE = -1,
#define KEY_FEEDBACK(id_, ...) FEEDBACK_KEY_##id_,
#include "broker/spec/keys.def"
	FEEDBACK_KEY_COUNT
};
enum {
	DECODE_KEY_NONE = -1,
#define KEY_DECODE(id_, ...) DECODE_KEY_##id_,
#include "broker/spec/keys.def"
	DECODE_KEY_COUNT
};
enum {
	ENCODE_KEY_NONE = -1,
#define KEY_ENCODE(id_, ...) ENCODE_KEY_##id_,
#include "broker/spec/keys.def"
	ENCODE_KEY_COUNT
};
enum {
	SANDBOX_KEY_NONE = -1,
#define KEY_SANDBOX(id_, ...) SANDBOX_KEY_##id_,
#include "broker/spec/keys.def"
	SANDBOX_KEY_COUNT
};
enum {
	RESOURCES_KEY_NONE = -1,
#define KEY_RESOURCES(id_, ...) RESOURCES_KEY_##id_,
#include "broker/spec/keys.def"
	RESOURCES_KEY_COUNT
};
#define KEYS_MAX 32

struct key_table {
	const char *owner; /* for messages: "a stage" */
	const struct weir_option *keys;
	size_t n;
};

extern const struct key_table keys_top, keys_stage, keys_dead_letter, keys_restart, keys_workers, keys_canary,
	keys_feedback, keys_decode, keys_encode, keys_sandbox, keys_resources;

/* All of them, as docs/spec.md and weir.yaml(5) list them. */
struct key_section {
	const char *title; /* a `word` is what people write into a spec */
	const struct key_table *table;
};
extern const struct key_section key_sections[];
extern const size_t n_key_sections;

/* "duration", "list of stages", ... for every type above and those of options. */
const char *key_type_name(int type);
/* "an" or "a", as the type's name wants. */
const char *key_type_article(int type);
/* Index in the table, -1 if it is not there. */
int key_find(const struct key_table *table, const char *name);
