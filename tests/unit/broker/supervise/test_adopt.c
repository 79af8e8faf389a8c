/* SPDX-License-Identifier: Apache-2.0 */
/* A supervisor goes on with what another one has left: when nobody of that one's lives, and not before. */
#undef NDEBUG
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/keep/holder_wire.h"
#include "broker/supervise/process_state.h"
#include "broker/supervise/supervisor_priv.h"
#include "tests/unit/broker/supervise/trial.h"

static struct made_plan made;
static struct text why, said;
static sd_event *event;

static void on_log(void *data, enum weir_log_level level, const char *stage, int worker, pid_t pid,
		   const struct log_item *item, const char *line)
{
	(void)data;
	(void)level;
	(void)stage;
	(void)worker;
	(void)pid;
	(void)item;
	text_printf(&said, "%s\n", line);
}

static bool on_send(void *data, uint32_t slot, const struct message *message)
{
	(void)data;
	(void)slot;
	(void)message;
	return false;
}

static void on_phase(void *data, const char *phase)
{
	(void)data;
	(void)phase;
}

static int make(struct estate *estate, struct supervisor **ret_supervisor)
{
	const struct supervisor_settings settings = {
		.worker_path = "/nowhere", .endpoint = "ipc:///nowhere", .keeps = true, .estate = estate
	};
	const struct supervisor_callbacks callbacks = { .log = on_log, .send = on_send, .phase = on_phase };

	*ret_supervisor = NULL;
	return supervisor_new(&made.plan, event, &settings, &callbacks, ret_supervisor, &why);
}

/* What the child does to its supervisor before it dies. */
typedef void scene_fn(struct supervisor *supervisor);

struct scene {
	int fds[HOLDER_FDS_MAX];
	size_t n_fds;
	uint32_t said; /* by the child */
};

static uint32_t told;

/*
 * A supervisor in a process of its own, whose run has begun; what would be kept of it comes here. It is killed, unless it is to live: then
 * the caller kills *ret_pid.
 */
static void leave(struct scene *scene, scene_fn *act, pid_t *ret_pid)
{
	struct holder_packet packet;
	int sockets[2];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	pid = fork();
	if (pid == 0) {
		struct supervisor *supervisor;
		int *fds;
		size_t n;

		if (sd_event_new(&event) < 0) /* a loop is of no use to a child */
			_exit(1);
		packet = (struct holder_packet){ .magic = HOLDER_MAGIC, .version = HOLDER_VERSION };
		if (make(NULL, &supervisor) != 0)
			_exit(1);
		supervisor->lifecycle.started_ns = 4711;
		if (act)
			act(supervisor);
		estate_note_decisions(supervisor);
		packet.number = told;
		if (supervisor_kept_fds(supervisor, &fds, &n) || holder_send(sockets[1], &packet, fds, n))
			_exit(1);
		pause();
		_exit(1);
	}
	close(sockets[1]);
	assert_int_equal(holder_receive(sockets[0], &packet, scene->fds, &scene->n_fds), 0);
	scene->said = packet.number;
	close(sockets[0]);
	if (ret_pid) {
		*ret_pid = pid;
		return;
	}
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int go_on(struct scene *scene, struct supervisor **ret_supervisor)
{
	struct estate *estate;

	text_clear(&why);
	text_clear(&said);
	assert_int_equal(estate_find(&made.plan, scene->fds, scene->n_fds, &estate, &why), 0);
	return make(estate, ret_supervisor);
}

static int begin(void **state)
{
	(void)state;
	why = said = (struct text)TEXT_NULL;
	told = 0;
	make_plan(&made, "run", "run", 2);
	return sd_event_new(&event) < 0;
}

static int end(void **state)
{
	(void)state;
	event = sd_event_unref(event);
	text_deinit(&why);
	text_deinit(&said);
	return 0;
}

/* A worker that does not heed its supervisor's death; what exec would have closed is closed. NULL: somebody else. */
static pid_t fork_deaf(const struct supervisor *supervisor)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (supervisor)
			close(supervisor->estate->lock_fd);
		for (;;)
			pause();
	}
	return pid;
}

static void noted_worker(struct supervisor *supervisor)
{
	struct seat *seat = &supervisor->seats[1];

	seat->pid = fork_deaf(supervisor);
	seat->pid_began_ticks = process_began_ticks(seat->pid);
	told = (uint32_t)seat->pid;
}

/* Forked, and then the supervisor died. */
static void unknown_worker(struct supervisor *supervisor)
{
	told = (uint32_t)fork_deaf(supervisor);
}

static void is_killed_first(scene_fn *act)
{
	struct scene scene;
	struct supervisor *supervisor;
	siginfo_t info = { 0 };

	leave(&scene, act, NULL);
	assert_int_equal(kill((pid_t)scene.said, 0), 0);
	assert_int_equal(go_on(&scene, &supervisor), 0);
	/* Ours to reap: we are the subreaper. It was dead before anything else was done. */
	assert_int_equal(waitid(P_PID, scene.said, &info, WEXITED | WNOHANG), 0);
	assert_int_equal(info.si_pid, scene.said);
	assert_int_equal(info.si_status, SIGKILL);
	supervisor_free(supervisor);
}

static void test_a_worker_that_lives_is_killed_first(void **state)
{
	(void)state;
	is_killed_first(noted_worker);
	assert_non_null(strstr(text_get(&said), "1 worker of the last supervisor still lived"));
}

static void test_so_is_one_that_was_not_noted_yet(void **state)
{
	(void)state;
	is_killed_first(unknown_worker);
}

static pid_t bystander;

/* Its number is a stranger's now. */
static void wrong_number(struct supervisor *supervisor)
{
	supervisor->seats[1].pid = bystander;
	supervisor->seats[1].pid_began_ticks = process_began_ticks(bystander) + 1;
}

static void test_a_stranger_with_its_number_is_left_alone(void **state)
{
	struct scene scene;
	struct supervisor *supervisor;

	(void)state;
	bystander = fork_deaf(NULL);
	leave(&scene, wrong_number, NULL);
	assert_int_equal(go_on(&scene, &supervisor), 0);
	assert_int_equal(waitpid(bystander, NULL, WNOHANG), 0);
	kill(bystander, SIGKILL);
	waitpid(bystander, NULL, 0);
	supervisor_free(supervisor);
}

static void test_while_it_lives_nobody_goes_on(void **state)
{
	struct scene scene;
	struct supervisor *supervisor;
	pid_t pid;

	(void)state;
	leave(&scene, NULL, &pid);
	assert_int_equal(go_on(&scene, &supervisor), SUPERVISOR_E_NOT_NOW);
	assert_non_null(strstr(text_get(&why), "goes on with it already"));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* What it had decided, and what it had not carried out. */
static void decided(struct supervisor *supervisor)
{
	supervisor->lifecycle.lives[0].generation = 7;
	supervisor->lifecycle.lives[0].restarts = 2;
	supervisor->lifecycle.run_due_ns = 99;
	supervisor->seats[2].retiring = true; /* killed before anything of it was done */
	supervisor->board->slots[1].suspect_attempts = 2;
	supervisor->board->slots[1].suspect_position = 64;
	store_relaxed(&supervisor->board->slots[1].order, BOARD_CANCEL);
}

static void test_decisions_are_taken_over(void **state)
{
	struct scene scene;
	struct supervisor *supervisor;

	(void)state;
	leave(&scene, decided, NULL);
	assert_int_equal(go_on(&scene, &supervisor), 0);
	assert_int_equal(supervisor->lifecycle.lives[0].generation, 8);
	assert_int_equal(supervisor->lifecycle.lives[0].restarts, 3);
	assert_int_equal(supervisor->lifecycle.run_due_ns, 99);
	assert_int_equal(supervisor->lifecycle.started_ns, 4711);
	assert_int_equal(supervisor->lifecycle.lives[2].state, SEAT_RETIRED);
	assert_int_equal(load_relaxed(&supervisor->board->slots[2].dealing), BOARD_RETIRED);
	assert_int_equal(supervisor->board->slots[1].suspect_attempts, 2);
	assert_int_equal(supervisor->board->slots[1].suspect_position, 64);
	assert_int_equal(load_relaxed(&supervisor->board->slots[1].order), BOARD_HOLD);
	assert_int_equal(load_relaxed(&supervisor->board->order), BOARD_RUN);
	assert_int_equal(supervisor->n_supervisors, 2);
	assert_int_equal(estate_current(supervisor->estate)->n_supervisors, 2);
	supervisor_free(supervisor);
}

static struct stage_life *stage_of(const struct supervisor *supervisor, uint32_t seat)
{
	return &supervisor->lifecycle.stages[supervisor->seats[seat].stage_number];
}

/* The first worker of the stage is to go, and the second one to come, whose seat has never had one. */
static void scaling(struct supervisor *supervisor)
{
	supervisor->lifecycle.lives[1].dealing = DEALING_CLOSED;
	supervisor->lifecycle.lives[2].dealing = DEALING_CLOSED;
	supervisor->lifecycle.lives[2].state = SEAT_RESTING;
	supervisor->seats[2].has_pages = false;
	stage_of(supervisor, 1)->scaling = true;
	stage_of(supervisor, 1)->wanted = 2; /* not as many as are open: asked for meanwhile */
	stage_of(supervisor, 1)->open = 2;
	stage_of(supervisor, 1)->open_before = 1;
}

static void test_scaling_is_taken_over(void **state)
{
	struct scene scene;
	struct supervisor *supervisor;

	(void)state;
	leave(&scene, scaling, NULL);
	assert_int_equal(go_on(&scene, &supervisor), 0);
	assert_int_equal(supervisor->lifecycle.lives[0].dealing, DEALING_DEALT);
	assert_int_equal(supervisor->lifecycle.lives[1].dealing, DEALING_CLOSED);
	assert_int_equal(supervisor->lifecycle.lives[1].state, SEAT_EMPTY); /* to be filled: something may lie there */
	assert_int_equal(supervisor->lifecycle.lives[2].state, SEAT_RESTING);
	assert_true(supervisor->seats[0].has_pages && supervisor->seats[1].has_pages);
	assert_false(supervisor->seats[2].has_pages);
	assert_true(stage_of(supervisor, 1)->scaling);
	assert_int_equal(stage_of(supervisor, 1)->wanted, 2);
	assert_int_equal(stage_of(supervisor, 1)->open, 2);
	assert_int_equal(stage_of(supervisor, 1)->open_before, 1);
	supervisor_free(supervisor);
}

/* A committed turn, which nobody has finished; and an item in hand, which is nobody's fault. */
static void in_the_middle(struct supervisor *supervisor)
{
	struct seat *seat = &supervisor->seats[1];
	struct segment segment = SEGMENT_NULL;

	if (segment_attach(&segment, seat->segment_fd, &seat->segment.geometry, SEGMENT_WRITE) != 0)
		_exit(2);
	segment.record->operations[0] = (struct commit_operation){
		.kind = COMMIT_DONE,
		.word = (uint32_t)(segment.geometry.off_readers / sizeof(uint64_t)), /* readers[0].done */
		.value = 4096,
	};
	store_release(&segment.record->state, 1);
	store_relaxed(&segment.hand->position, 8192);
	store_release(&segment.hand->busy, HAND_BUSY);
}

static void test_what_was_committed_is_finished(void **state)
{
	struct scene scene;
	struct supervisor *supervisor;

	(void)state;
	leave(&scene, in_the_middle, NULL);
	assert_int_equal(go_on(&scene, &supervisor), 0);
	assert_int_equal(load_relaxed(&supervisor->seats[1].segment.readers[0].done), 4096);
	assert_int_equal(load_relaxed(&supervisor->seats[1].segment.record->state), 0);
	assert_int_equal(load_relaxed(&supervisor->seats[1].segment.hand->busy), HAND_EMPTY);
	assert_int_equal(supervisor->board->slots[1].suspect_attempts, 0);
	supervisor_free(supervisor);
}

static void senseless(struct supervisor *supervisor)
{
	struct seat *seat = &supervisor->seats[1];
	struct segment segment = SEGMENT_NULL;

	if (segment_attach(&segment, seat->segment_fd, &seat->segment.geometry, SEGMENT_WRITE) != 0)
		_exit(2);
	store_release(&segment.record->state, 12345678);
}

static void test_memory_that_makes_no_sense_is_not_gone_on_with(void **state)
{
	struct scene scene;
	struct supervisor *supervisor;

	(void)state;
	leave(&scene, senseless, NULL);
	assert_int_equal(go_on(&scene, &supervisor), SUPERVISOR_E_SENSELESS);
	assert_string_equal(text_get(&why), "the memory of store#0 makes no sense");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_worker_that_lives_is_killed_first, begin, end),
		cmocka_unit_test_setup_teardown(test_so_is_one_that_was_not_noted_yet, begin, end),
		cmocka_unit_test_setup_teardown(test_a_stranger_with_its_number_is_left_alone, begin, end),
		cmocka_unit_test_setup_teardown(test_while_it_lives_nobody_goes_on, begin, end),
		cmocka_unit_test_setup_teardown(test_decisions_are_taken_over, begin, end),
		cmocka_unit_test_setup_teardown(test_scaling_is_taken_over, begin, end),
		cmocka_unit_test_setup_teardown(test_what_was_committed_is_finished, begin, end),
		cmocka_unit_test_setup_teardown(test_memory_that_makes_no_sense_is_not_gone_on_with, begin, end),
	};

	alarm(120);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
