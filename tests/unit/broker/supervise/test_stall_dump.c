/* SPDX-License-Identifier: Apache-2.0 */
/* read -> price (2 workers) -> write, of which price#0 waits for room and price#1 is in its stage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "broker/supervise/stall_dump.h"
#include "common/memory/segment_layout.h"

#define S UINT64_C(1000000000)
#define NOW (1000 * S)

enum { READ, PRICE_0, PRICE_1, WRITE, N_WORKERS };
enum { READ_TO_0, READ_TO_1, FROM_0, FROM_1, N_LANES };

struct scene {
	struct stall_topology topology;
	struct stall_worker workers[N_WORKERS];
	struct stall_level levels[N_LANES];
	struct stall_snapshot snapshot;
	struct text text;
};

static int make(void **state)
{
	static const struct stall_seat seats[N_WORKERS] = {
		{ "read", 0, true }, { "price", 0, false }, { "price", 1, false }, { "write", 0, false }
	};
	static const struct stall_lane lanes[N_LANES] = { { READ, PRICE_0, 0, 1000 },
							  { READ, PRICE_1, 0, 1000 },
							  { PRICE_0, WRITE, 1, 500 },
							  { PRICE_1, WRITE, 1, 500 } };
	static struct scene scene;

	memset(&scene, 0, sizeof(scene));
	stall_topology_init(&scene.topology, seats, N_WORKERS, lanes, N_LANES);
	scene.snapshot = (struct stall_snapshot){ scene.workers, scene.levels };
	for (unsigned i = 0; i < N_WORKERS; i++)
		scene.workers[i] = (struct stall_worker){ .doing = STALL_BUSY,
							  .pid = 100 + (pid_t)i,
							  .since_ns = NOW - 2 * S,
							  .lane = STALL_NONE,
							  .hand_lane = STALL_NONE,
							  .store_holder = STALL_NONE };
	scene.workers[PRICE_0].doing = STALL_WAITS;
	scene.workers[PRICE_0].waits_for = WAIT_FOR_ROOM | WAIT_FOR_EVENT;
	scene.workers[PRICE_0].lane = FROM_0;
	scene.levels[READ_TO_0] = (struct stall_level){ .tail = 5000, .done = 4100, .free = 4000 };
	scene.levels[FROM_0] = (struct stall_level){ .tail = 900, .done = 410, .free = 400 };
	*state = &scene;
	return 0;
}

static int drop(void **state)
{
	struct scene *scene = *state;

	stall_topology_deinit(&scene->topology);
	text_deinit(&scene->text);
	return 0;
}

static const char *dump(struct scene *scene)
{
	text_clear(&scene->text);
	stall_format_dump(&scene->topology, &scene->snapshot, "price", PRICE_0, 2, NOW, &scene->text);
	return text_get(&scene->text);
}

static void test_who_waits(void **state)
{
	struct scene *scene = *state;

	scene->workers[PRICE_0].kernel = 'S';
	strcpy(scene->workers[PRICE_0].where, "do_epoll_wait");
	assert_non_null(strstr(
		dump(scene),
		"{\"stage\":\"price\",\"workers\":[{\"index\":0,\"pid\":101,\"generation\":0,\"doing\":\"waits\",\"seconds\":2.000,"
		"\"sentence\":\"waits for room at write#0\",\"waits_for\":[\"room\",\"event\"],"
		"\"lane\":{\"from\":\"price\",\"from_index\":0,\"to\":\"write\",\"to_index\":0,\"bytes\":490,\"kept_bytes\":10,"
		"\"capacity_bytes\":500,\"closed\":false},\"item\":null,\"put_aside\":0,\"held\":0,"
		"\"kernel\":{\"state\":\"asleep\",\"where\":\"do_epoll_wait\"},\"program\":null,"
		"\"in\":[{\"stage\":\"read\",\"lanes\":1,\"empty\":0,\"closed\":0,\"bytes\":900,\"kept_bytes\":100,\"capacity_bytes\":1000}],"
		"\"out\":[{\"stage\":\"write\",\"lanes\":1,"));
}

static void test_who_works_on_an_item(void **state)
{
	struct scene *scene = *state;
	struct stall_worker *worker = &scene->workers[PRICE_1];

	worker->has_hand = true;
	worker->hand_lane = READ_TO_1;
	worker->hand_sequence = 812;
	worker->hand_position = 64;
	worker->n_held = 3;
	worker->program = 77;
	strcpy(worker->program_name, "cat");
	worker->program_kernel = 'T';
	assert_non_null(strstr(
		dump(scene), "\"doing\":\"busy\",\"seconds\":2.000,"
			     "\"sentence\":\"is in its stage, on item 812 from 'read' (position 64)\","
			     "\"waits_for\":[],\"lane\":null,"
			     "\"item\":{\"from\":\"read\",\"sequence\":812,\"position\":64},\"put_aside\":0,\"held\":3,"
			     "\"kernel\":null,"
			     "\"program\":{\"pid\":77,\"name\":\"cat\",\"state\":\"stopped by a signal\"}"));
}

static void test_who_is_not_there(void **state)
{
	static const struct {
		enum stall_doing doing;
		const char *words;
	} rows[] = {
		{ STALL_ABSENT,
		  "\"pid\":null,\"generation\":0,\"doing\":\"absent\",\"seconds\":2.000,\"sentence\":\"nobody sits there now\"" },
		{ STALL_OPENING, "\"doing\":\"opening\",\"seconds\":2.000,\"sentence\":\"is opening its stage\"" },
		{ STALL_OVER, "\"doing\":\"over\",\"seconds\":2.000,\"sentence\":\"is through with its work\"" },
	};
	struct scene *scene = *state;

	scene->workers[PRICE_0].pid = 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		scene->workers[PRICE_0].doing = rows[i].doing;
		assert_non_null(strstr(dump(scene), rows[i].words));
	}
	scene->workers[PRICE_0].doing = STALL_ABSENT;
	scene->workers[PRICE_0].held_back = true;
	assert_non_null(strstr(dump(scene), "\"nobody sits there until others have ended\""));
}

/* Of an edge with several lanes the sum, and what makes no sense is no more than the lane holds. */
static void test_lanes_of_an_edge(void **state)
{
	struct scene *scene = *state;

	scene->levels[FROM_1] = (struct stall_level){ .tail = 10, .done = 20, .free = 5, .closed = true };
	text_clear(&scene->text);
	stall_format_dump(&scene->topology, &scene->snapshot, "write", WRITE, 1, NOW, &scene->text);
	assert_non_null(strstr(
		text_get(&scene->text),
		"\"in\":[{\"stage\":\"price\",\"lanes\":2,\"empty\":0,\"closed\":1,\"bytes\":990,\"kept_bytes\":25,"
		"\"capacity_bytes\":1000}],\"out\":[]"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_who_waits, make, drop),
		cmocka_unit_test_setup_teardown(test_who_works_on_an_item, make, drop),
		cmocka_unit_test_setup_teardown(test_who_is_not_there, make, drop),
		cmocka_unit_test_setup_teardown(test_lanes_of_an_edge, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
