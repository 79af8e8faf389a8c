/* SPDX-License-Identifier: Apache-2.0 */
/* One value, and one map of them, by their table. */
#include <string.h>

#include "broker/spec/memory.h"
#include "broker/spec/nearest.h"
#include "broker/spec/reading.h"
#include "common/stage/expiry_rule.h"
#include "common/stage/key_expression.h"
#include "common/stage/registry.h"

#define NAME_LENGTH_MAX 64u
#define CHOICES_SIZE_MAX 256u

void value_deinit(struct heritage_option *option)
{
	free(option->name);
	free(option->string);
	for (uint32_t i = 0; option->list && i < option->n_list; i++)
		free(option->list[i]);
	free(option->list);
	*option = (struct heritage_option){ 0 };
}

static void list_add(struct heritage_option *option, const char *string)
{
	/* one more than there are, and the NULL behind them */
	option->list = spec_grow(option->list, option->n_list ? option->n_list + 1u : 0, sizeof(char *));
	option->list[option->n_list++] = spec_strdup(string);
	option->list[option->n_list] = NULL;
}

/* A command given as one string goes to the shell. */
static void list_add_shell(struct heritage_option *option, const char *string)
{
	list_add(option, "sh");
	list_add(option, "-c");
	list_add(option, string);
}

static void fill(const struct weir_option *option, const char *value, int64_t number, struct heritage_option *ret)
{
	*ret = (struct heritage_option){ .name = spec_strdup(option->name), .type = HERITAGE_STRING, .number = number };
	switch ((int)option->type) {
	case WEIR_TYPE_INTEGER:
	case WEIR_TYPE_BOOLEAN:
	case WEIR_TYPE_SIZE:
	case WEIR_TYPE_DURATION:
	case WEIR_TYPE_RATE:
	case WEIR_TYPE_SHARE:
	case KEY_TYPE_WORKERS:
		ret->type = HERITAGE_NUMBER;
		break;
	case WEIR_TYPE_LIST:
	case KEY_TYPE_FROM:
		ret->type = HERITAGE_LIST;
		list_add(ret, value);
		break;
	case WEIR_TYPE_COMMAND:
		ret->type = HERITAGE_LIST;
		list_add_shell(ret, value);
		break;
	default:
		ret->string = spec_strdup(value);
		break;
	}
}

static bool expires_check(const char *value, struct text *why)
{
	struct expiry_rule rule = EXPIRY_RULE_NULL;
	bool fine = expiry_rule_parse(value, &rule, why) == 0;

	expiry_rule_deinit(&rule);
	return fine;
}

/* The check of every type that is not a name: a balance is a choice, but for key(EXPR); workers, where they are no map, a number. */
static bool typed_check(const struct weir_option *option, const char *value, int64_t *ret_number, struct text *why)
{
	struct key_expression expression = KEY_EXPRESSION_NULL;
	_cleanup_(free) char *source = NULL;
	struct weir_option choice = *option;

	if ((int)option->type == KEY_TYPE_EXPIRES)
		return expires_check(value, why);
	if ((int)option->type == KEY_TYPE_WORKERS) {
		choice.type = WEIR_TYPE_INTEGER;
		return stage_option_check(&choice, value, ret_number, why) == 0;
	}
	if ((int)option->type != KEY_TYPE_BALANCE)
		return stage_option_check(option, value, ret_number, why) == 0;
	choice.type = WEIR_TYPE_CHOICE;
	if (strncmp(value, "key", 3) != 0)
		return stage_option_check(&choice, value, ret_number, why) == 0;
	*ret_number = HERITAGE_BALANCE_KEY;
	if (key_expression_unwrap(value, &source, why) != 0 || key_expression_parse(source, &expression, why) != 0)
		return false;
	key_expression_deinit(&expression);
	return true;
}

bool value_default(const struct weir_option *option, struct heritage_option *ret)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	int64_t number = 0;

	if (!option->fallback || !typed_check(option, option->fallback, &number, &why))
		return false;
	fill(option, option->fallback, number, ret);
	return true;
}

bool name_check(const char *value, struct text *why)
{
	size_t length = strlen(value);

	if (length >= 1 && length <= NAME_LENGTH_MAX && value[0] != '-' && value[0] != '_' &&
	    strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789_-") == length)
		return true;
	if (why)
		text_printf(why,
			    "is no name: expected up to %u of a-z, 0-9, '-' and '_', beginning with a letter or digit",
			    NAME_LENGTH_MAX);
	return false;
}

/* One scalar, of the value itself or of one element of a list. */
static bool scalar_check(struct reading *reading, const struct weir_option *option, const struct yaml_node *node,
			 int64_t *ret_number)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL, hint = TEXT_NULL;
	struct nearest nearest = NEAREST(node->value);
	char choices[CHOICES_SIZE_MAX];
	bool fine = (int)option->type == KEY_TYPE_NAME ? name_check(node->value, &why) :
		    (int)option->type == KEY_TYPE_KIND || (int)option->type == KEY_TYPE_FROM ?
							 true :
							 typed_check(option, node->value, ret_number, &why);

	if (fine)
		return true;
	if (option->type == WEIR_TYPE_CHOICE || (int)option->type == KEY_TYPE_BALANCE)
		nearest_offer_choices(&nearest, option->choices, choices, sizeof(choices));
	if (node->value[0])
		reading_error(reading, node->position, nearest_hint(&nearest, &hint), "%s '%s' %s", option->name,
			      node->value, text_get(&why));
	else
		reading_error(reading, node->position, NULL, "%s %s", option->name, text_get(&why));
	return false;
}

static bool list_read(struct reading *reading, const struct weir_option *option, const struct yaml_node *node,
		      struct heritage_option *ret)
{
	bool fine = true;

	if (!node->n) {
		reading_error(reading, node->position, NULL, "%s is an empty list", option->name);
		return false;
	}
	*ret = (struct heritage_option){ .name = spec_strdup(option->name), .type = HERITAGE_LIST };
	for (uint32_t i = 0; i < node->n; i++) {
		const struct yaml_node *item = node->items[i];
		/* Only a program's name must not be empty; its arguments may. */
		bool checked = option->type == WEIR_TYPE_LIST || i == 0;

		if (item->wrong) {
			fine = false;
		} else if ((int)option->type == KEY_TYPE_FROM && item->kind == YAML_MAP) {
			/* connect.c reads it */
		} else if (item->kind != YAML_SCALAR) {
			reading_error(reading, item->position, NULL, "%s wants words in its list, found %s",
				      option->name, yaml_kind_name(item->kind));
			fine = false;
		} else if (checked && !scalar_check(reading, option, item, NULL)) {
			fine = false;
		} else {
			list_add(ret, item->value);
		}
	}
	if (!fine)
		value_deinit(ret);
	return fine;
}

/* Names of outputs are part of what others say in `from`; those of other maps are theirs. */
static bool pair_name_check(const struct weir_option *option, const char *name, struct text *why)
{
	if (strcmp(option->name, "routes") == 0)
		return name_check(name, why);
	if (!name[0])
		text_add(why, "is no name");
	return name[0];
}

static bool pair_check(struct reading *reading, const struct weir_option *option, const struct yaml_pair *pair)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;

	if (pair->key->wrong || pair->value->wrong)
		return false;
	if (!pair_name_check(option, pair->key->value, &why)) {
		reading_error(reading, pair->key->position, NULL, "'%s' in %s %s", pair->key->value, option->name,
			      text_get(&why));
		return false;
	}
	if (pair->value->kind == YAML_SCALAR && pair->value->value[0])
		return true;
	reading_error(reading, pair->value->kind == YAML_SCALAR ? pair->key->position : pair->value->position, NULL,
		      "'%s' in %s wants a text, found %s", pair->key->value, option->name,
		      pair->value->kind == YAML_SCALAR ? "nothing" : yaml_kind_name(pair->value->kind));
	return false;
}

/* A name and its string in turn. */
static bool map_read(struct reading *reading, const struct weir_option *option, const struct yaml_node *node,
		     struct heritage_option *ret)
{
	bool fine = true;

	if (!node->n) {
		reading_error(reading, node->position, NULL, "%s is an empty map", option->name);
		return false;
	}
	*ret = (struct heritage_option){ .name = spec_strdup(option->name), .type = HERITAGE_LIST };
	for (uint32_t i = 0; i < node->n; i++) {
		if (!pair_check(reading, option, &node->pairs[i])) {
			fine = false;
			continue;
		}
		list_add(ret, node->pairs[i].key->value);
		list_add(ret, node->pairs[i].value->value);
	}
	if (!fine)
		value_deinit(ret);
	return fine;
}

bool value_read(struct reading *reading, const struct weir_option *option, const struct yaml_node *node,
		struct heritage_option *ret)
{
	bool takes_list = option->type == WEIR_TYPE_LIST || option->type == WEIR_TYPE_COMMAND ||
			  (int)option->type == KEY_TYPE_FROM;
	struct spec_position position = node->position;
	int64_t number = 0;

	if (node->wrong)
		return false;
	if (yaml_is_nothing(node)) {
		reading_error(reading, position, NULL, "%s has no value: expected %s %s", option->name,
			      key_type_article((int)option->type), key_type_name((int)option->type));
		return false;
	}
	if (node->kind == YAML_LIST && takes_list) {
		if (!list_read(reading, option, node, ret))
			return false;
	} else if (node->kind == YAML_MAP && option->type == WEIR_TYPE_MAP) {
		if (!map_read(reading, option, node, ret))
			return false;
	} else if (node->kind == YAML_MAP && (int)option->type == KEY_TYPE_WORKERS) {
		fill(option, "", 1, ret); /* workers.c reads it */
	} else if (node->kind != YAML_SCALAR) {
		reading_error(reading, position, NULL, "%s wants %s %s, found %s", option->name,
			      key_type_article((int)option->type), key_type_name((int)option->type),
			      yaml_kind_name(node->kind));
		return false;
	} else {
		if (!scalar_check(reading, option, node, &number))
			return false;
		fill(option, node->value, number, ret);
	}
	ret->line = position.line;
	ret->column = position.column;
	return true;
}

static bool is_structure(const struct weir_option *key)
{
	return (int)key->type == KEY_TYPE_STAGES || (int)key->type == KEY_TYPE_DEAD_LETTER ||
	       (int)key->type == KEY_TYPE_RESTART || (int)key->type == KEY_TYPE_CANARY ||
	       (int)key->type == KEY_TYPE_RECORD || (int)key->type == KEY_TYPE_SANDBOX ||
	       (int)key->type == KEY_TYPE_RESOURCES;
}

static void unknown_key(struct reading *reading, const struct key_table *table, const struct yaml_node *key,
			const char *where)
{
	_cleanup_(text_deinit) struct text hint = TEXT_NULL;
	struct nearest nearest = NEAREST(key->value);

	for (size_t i = 0; i < table->n; i++)
		nearest_offer(&nearest, table->keys[i].name);
	reading_error(reading, key->position, nearest_hint(&nearest, &hint), "unknown key '%s' in %s", key->value,
		      where);
}

static void value_of_key(struct reading *reading, const struct weir_option *key, const struct yaml_pair *pair,
			 struct spec_value *value)
{
	if (value->key) /* a duplicate, which was reported */
		return;
	value->key = pair->key;
	value->node = pair->value;
	if (!is_structure(key))
		value->wrong = !value_read(reading, key, pair->value, &value->option);
}

/* A key that is missing because it is misspelled has been reported as unknown. */
static bool is_misspelled(const struct key_table *table, const struct yaml_node *map, const char *name)
{
	for (uint32_t i = 0; i < map->n; i++)
		if (key_find(table, map->pairs[i].key->value) < 0 && nearest_is(map->pairs[i].key->value, name))
			return true;
	return false;
}

void values_read(struct reading *reading, const struct key_table *table, const struct yaml_node *map, const char *where,
		 bool leave_unknown, struct spec_value *values)
{
	for (uint32_t i = 0; i < map->n; i++) {
		int key = key_find(table, map->pairs[i].key->value);

		if (key >= 0)
			value_of_key(reading, &table->keys[key], &map->pairs[i], &values[key]);
		else if (!leave_unknown && !map->pairs[i].key->wrong)
			unknown_key(reading, table, map->pairs[i].key, where ? where : table->owner);
	}
	for (size_t i = 0; i < table->n; i++) {
		if (values[i].key)
			continue;
		if (table->keys[i].required) {
			values[i].wrong = true;
			if (!leave_unknown && !is_misspelled(table, map, table->keys[i].name))
				reading_error(reading, map->position, NULL, "key '%s' is missing in %s: expected %s %s",
					      table->keys[i].name, where ? where : table->owner,
					      key_type_article((int)table->keys[i].type),
					      key_type_name((int)table->keys[i].type));
		} else if (table->keys[i].fallback) {
			value_default(&table->keys[i], &values[i].option);
		}
	}
}

void values_deinit(struct spec_value *values, size_t n)
{
	for (size_t i = 0; i < n; i++)
		value_deinit(&values[i].option);
}

int64_t value_number(const struct spec_value *value, int64_t otherwise)
{
	return value->option.name ? value->option.number : otherwise;
}

struct spec_position value_position(const struct spec_value *value, struct spec_position otherwise)
{
	return value->node ? value->node->position : otherwise;
}
