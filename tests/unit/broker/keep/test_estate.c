/* SPDX-License-Identifier: Apache-2.0 */
/* What a dead supervisor leaves: right at every moment, and believed in nothing. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "broker/keep/estate.h"
#include "broker/keep/plan_digest.h"
#include "common/memory/memfd.h"
#include "common/memory/segment.h"
#include "tests/unit/broker/supervise/trial.h"

#define THINGS 3u

static struct made_plan made;
static struct estate *left;
static int fds[THINGS];
static struct text why;

static int begin(void **state)
{
	struct estate_thing things[THINGS];

	(void)state;
	why = (struct text)TEXT_NULL;
	make_plan(&made, "run", "run", 2);
	for (uint32_t i = 0; i < THINGS; i++) {
		assert_int_equal(memfd_new("thing", &fds[i]), 0);
		assert_int_equal(estate_thing_of(fds[i], ESTATE_SPOOL, 0, i, &things[i]), 0);
	}
	assert_int_equal(estate_create(&made.plan, 4711, things, THINGS, &left), 0);
	estate_next(left)->phase = ESTATE_RUNNING;
	estate_next(left)->n_supervisors = 1;
	estate_publish(left);
	return 0;
}

static int end(void **state)
{
	(void)state;
	left = estate_free(left);
	for (uint32_t i = 0; i < THINGS; i++)
		close(fds[i]);
	text_deinit(&why);
	return 0;
}

/* What whoever keeps them hands over: copies of `n` things, and of the estate. */
static int find(uint32_t n, struct estate **ret_estate)
{
	int kept[THINGS + 1];
	unsigned before = count_fds();
	int r;

	for (uint32_t i = 0; i < n; i++)
		kept[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3);
	kept[n] = fcntl(left->fd, F_DUPFD_CLOEXEC, 3);
	r = estate_find(&made.plan, kept, n + 1, ret_estate, &why);
	if (r != 0)
		assert_int_equal(count_fds(), before);
	return r;
}

static int find_and_free(uint32_t n)
{
	struct estate *estate = NULL;
	int r = find(n, &estate);

	estate_free(estate);
	return r;
}

static void test_it_is_found_with_its_things(void **state)
{
	struct estate *estate;
	struct estate_thing thing;
	int fd;

	(void)state;
	assert_int_equal(find(THINGS, &estate), 0);
	assert_int_equal(estate->run, 4711);
	fd = estate_take_fd(estate, ESTATE_SPOOL, 0, 1);
	assert_true(fd >= 0);
	assert_int_equal(estate_thing_of(fd, ESTATE_SPOOL, 0, 1, &thing), 0);
	assert_memory_equal(&thing, &left->things[1], sizeof(thing));
	close(fd);
	assert_int_equal(estate_take_fd(estate, ESTATE_SPOOL, 0, 1), -1);
	assert_int_equal(estate_take_fd(estate, ESTATE_SEGMENT, 0, 0), -1);
	estate_free(estate);
}

static void test_a_note_counts_once_it_is_published(void **state)
{
	struct estate *estate;

	(void)state;
	for (uint32_t round = 1; round < 5; round++) {
		struct estate_note *next = estate_next(left);

		*next = *estate_current(left);
		next->rung = round;
		estate_seats(left, next)[2].generation = 10 + round;
		estate_stages(left, next)[1].cause = 20 + round;
		assert_int_equal(find(THINGS, &estate), 0);
		assert_int_equal(estate_current(estate)->rung, round - 1);
		estate_free(estate);
		estate_publish(left);
		assert_int_equal(find(THINGS, &estate), 0);
		assert_int_equal(estate_current(estate)->rung, round);
		assert_int_equal(estate_seats(estate, estate_current(estate))[2].generation, 10 + round);
		assert_int_equal(estate_stages(estate, estate_current(estate))[1].cause, 20 + round);
		estate_free(estate);
	}
}

static void test_the_same_note_is_not_published_again(void **state)
{
	uint64_t flips = load_relaxed(&left->head->flips);

	(void)state;
	*estate_next(left) = *estate_current(left);
	memcpy(estate_seats(left, estate_next(left)), estate_seats(left, estate_current(left)),
	       left->n_slots * sizeof(struct estate_seat));
	estate_publish(left);
	assert_int_equal(load_relaxed(&left->head->flips), flips);
}

static void test_a_run_that_had_not_begun_or_is_over_is_not_missed(void **state)
{
	static const uint32_t phases[] = { ESTATE_STARTING, ESTATE_ENDED };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		*estate_next(left) = *estate_current(left);
		estate_next(left)->phase = phases[i];
		estate_publish(left);
		assert_int_equal(find_and_free(THINGS), ESTATE_E_NOT_BEGUN);
	}
}

static void test_nobody_goes_on_without_a_thing(void **state)
{
	(void)state;
	assert_int_equal(find_and_free(THINGS - 1), ESTATE_E_LOST);
	assert_string_equal(text_get(&why), "1 of its 3 descriptors have not been kept");
}

static void test_none_and_two(void **state)
{
	struct estate *estate;
	int kept[2] = { fcntl(fds[0], F_DUPFD_CLOEXEC, 3), fcntl(fds[1], F_DUPFD_CLOEXEC, 3) };

	(void)state;
	assert_int_equal(estate_find(&made.plan, kept, 2, &estate, &why), ESTATE_E_NONE);
	assert_int_equal(kept[0], -1);
	kept[0] = fcntl(left->fd, F_DUPFD_CLOEXEC, 3);
	kept[1] = fcntl(left->fd, F_DUPFD_CLOEXEC, 3);
	assert_int_equal(estate_find(&made.plan, kept, 2, &estate, &why), ESTATE_E_SENSELESS);
}

static void test_another_plan_is_refused_a_moved_line_is_not(void **state)
{
	(void)state;
	made.options[0].line += 3;
	assert_int_equal(find_and_free(THINGS), 0);
	made.stages[1].restart_intensity++; /* the supervisor's own */
	assert_int_equal(find_and_free(THINGS), 0);
	made.options[1].string = (char *)(uintptr_t) "other";
	assert_int_equal(find_and_free(THINGS), ESTATE_E_OTHER);
	assert_string_equal(text_get(&why), "it is of another spec of 'trial'");
}

/* One store: nobody ever finds a head that is half the one and half the other. */
static void test_a_reload_names_another_plan(void **state)
{
	struct estate_head before = *left->head;
	uint64_t was = estate_plan(left), wanted;
	int kept = fcntl(left->fd, F_DUPFD_CLOEXEC, 3);

	(void)state;
	made.options[1].string = (char *)(uintptr_t) "other";
	assert_int_equal(estate_set_plan(left, &made.plan), 0);
	assert_true(estate_plan(left) != was);
	assert_int_equal(find_and_free(THINGS), 0);
	assert_true(estate_wants(&kept, 1, &wanted) && wanted == estate_plan(left));
	before.plan_digest = wanted;
	assert_memory_equal(left->head, &before, sizeof(before));
	left->head->version++;
	assert_false(estate_wants(&kept, 1, &wanted));
	assert_false(estate_wants(fds, THINGS, &wanted));
	close(kept);
}

static void test_another_layout_is_refused(void **state)
{
	uint32_t *versions[] = { &left->head->version, &left->head->segment_layout, &left->head->board_layout,
				 &left->head->heritage_version };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		++*versions[i];
		text_clear(&why);
		assert_int_equal(find_and_free(THINGS), ESTATE_E_OTHER);
		assert_non_null(strstr(text_get(&why), "another layout"));
		--*versions[i];
	}
	assert_int_equal(find_and_free(THINGS), 0);
}

/* Each byte that never changes: whatever it becomes, it is found out. */
static void test_a_planted_byte_is_found(void **state)
{
	unsigned char *bytes = (unsigned char *)left->head;
	size_t n = sizeof(struct estate_head) + THINGS * sizeof(struct estate_thing);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		if (i >= offsetof(struct estate_head, flips) && i < offsetof(struct estate_head, weir))
			continue;
		bytes[i] ^= 0x41;
		assert_int_not_equal(find_and_free(THINGS), 0);
		bytes[i] ^= 0x41;
	}
	assert_int_equal(find_and_free(THINGS), 0);
}

static void test_a_shorter_one_makes_no_sense(void **state)
{
	static const size_t sizes[] = { 8, 100, sizeof(struct estate_head), 4096 - 1 };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct estate *estate;
		int fd;

		assert_int_equal(memfd_new_fixed("short", sizes[i], &fd), 0);
		assert_int_equal(pwrite(fd, left->head, sizes[i], 0), sizes[i]);
		assert_int_equal(estate_find(&made.plan, &fd, 1, &estate, &why), ESTATE_E_SENSELESS);
		assert_null(estate);
	}
}

/* One that could be cut under our feet. */
static void test_one_without_seals_makes_no_sense(void **state)
{
	struct estate *estate;
	int fd;

	(void)state;
	assert_int_equal(memfd_new("open", &fd), 0);
	assert_int_equal(pwrite(fd, left->head, left->size_bytes, 0), left->size_bytes);
	assert_int_equal(estate_find(&made.plan, &fd, 1, &estate, &why), ESTATE_E_SENSELESS);
}

static void test_one_supervisor_has_it(void **state)
{
	struct estate *estate;

	(void)state;
	assert_int_equal(find(THINGS, &estate), 0);
	assert_int_equal(estate_lock(estate), ESTATE_E_TAKEN);
	close(left->lock_fd);
	left->lock_fd = -1;
	assert_int_equal(estate_lock(estate), 0);
	estate_free(estate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_it_is_found_with_its_things, begin, end),
		cmocka_unit_test_setup_teardown(test_a_note_counts_once_it_is_published, begin, end),
		cmocka_unit_test_setup_teardown(test_the_same_note_is_not_published_again, begin, end),
		cmocka_unit_test_setup_teardown(test_a_run_that_had_not_begun_or_is_over_is_not_missed, begin, end),
		cmocka_unit_test_setup_teardown(test_nobody_goes_on_without_a_thing, begin, end),
		cmocka_unit_test_setup_teardown(test_none_and_two, begin, end),
		cmocka_unit_test_setup_teardown(test_another_plan_is_refused_a_moved_line_is_not, begin, end),
		cmocka_unit_test_setup_teardown(test_a_reload_names_another_plan, begin, end),
		cmocka_unit_test_setup_teardown(test_another_layout_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(test_a_planted_byte_is_found, begin, end),
		cmocka_unit_test_setup_teardown(test_a_shorter_one_makes_no_sense, begin, end),
		cmocka_unit_test_setup_teardown(test_one_without_seals_makes_no_sense, begin, end),
		cmocka_unit_test_setup_teardown(test_one_supervisor_has_it, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
