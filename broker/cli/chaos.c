/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir chaos: what goes wrong on a real machine, on purpose, against a running pipeline, to see that it holds what it promises.
 *
 *     the schedule says: an act is due  ->  ask the pipeline who lives now  ->  do it to one of them  ->  say so
 *     a pause, a full disk ...          ->  is over after a random time of at most --hold
 *
 * Whatever ends this, SIGKILL too, what was done to a worker is undone (chaos_guard.c) and the room on the disk is given back. The seed
 * decides kinds, order and victims (by place, not by pid), so a run can be repeated as far as the pipeline's own timing allows.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "broker/cli/chaos_guard.h"
#include "broker/cli/chaos_schedule.h"
#include "broker/cli/chaos_victim.h"
#include "broker/cli/command.h"
#include "broker/cli/pipelines.h"
#include "broker/cli/verbs.h"
#include "broker/control/client.h"
#include "broker/supervise/supervisor.h"
#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/must.h"
#include "common/base/quantity.h"

#define HOLD_DEFAULT_NS (100 * NS_PER_MS)
#define PERIOD_NS_MIN NS_PER_MS
#define LOOK_MS_MAX 60000
#define QUESTIONS_MAX 15u /* one after the other that nobody answers: two seconds each */
#define ENDING_MS 10000   /* between the end of the control socket and that of the supervisor */

struct chaos {
	const struct command *command;
	const char *name, *stage, *disk;
	struct chaos_schedule schedule;
	uint64_t seed, period_ns[CHAOS_COUNT], hold_ns, for_ns, count;
	bool json, quiet;

	uint64_t n_done[CHAOS_COUNT], n_all;
	uint64_t begun_ns;
	int supervisor_fd, signal_fd; /* -1: none */

	struct chaos_guard guards[CHAOS_COUNT]; /* of the acts that last, but for the disk */
	uint64_t guarded_until_ns[CHAOS_COUNT]; /* 0: nobody is held so */
	int fill_fd;                            /* -1: the disk is left alone */
	uint64_t fill_until_ns;
};

static const struct {
	const char *name, *summary;
} acts[] = {
#define CHAOS_ACT(id_, name_, summary_) { name_, summary_ },
#include "broker/cli/chaos_act.def"
#undef CHAOS_ACT
};

/* ---- arguments ---- */

/* Returns -1 to go on, else the exit code. */
static int parse_duration(const struct chaos *chaos, const char *option, const char *value, uint64_t *ret_ns)
{
	int64_t ns;

	if (quantity_duration(value, &ns) != 0 || (uint64_t)ns < PERIOD_NS_MIN || ns < 0)
		return command_usage_error(chaos->command,
					   "--%s takes a duration of at least 1ms, such as 200ms or 5s, not '%s'",
					   option, value);
	*ret_ns = (uint64_t)ns;
	return -1;
}

static int parse_number(const struct chaos *chaos, const char *option, const char *value, uint64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoull(value, &end, 10);
	if (errno || *end || *value < '0' || *value > '9')
		return command_usage_error(chaos->command, "--%s takes a number, not '%s'", option, value);
	return -1;
}

static int parse_option(struct chaos *chaos, int id, const char *value)
{
	switch (id) {
	case OPTION_KILL:
		return parse_duration(chaos, "kill", value, &chaos->period_ns[CHAOS_KILL]);
	case OPTION_PAUSE:
		return parse_duration(chaos, "pause", value, &chaos->period_ns[CHAOS_PAUSE]);
	case OPTION_DELAY:
		return parse_duration(chaos, "delay", value, &chaos->period_ns[CHAOS_DELAY]);
	case OPTION_REFUSE:
		return parse_duration(chaos, "refuse", value, &chaos->period_ns[CHAOS_REFUSE]);
	case OPTION_FILL:
		return parse_duration(chaos, "fill", value, &chaos->period_ns[CHAOS_FILL]);
	case OPTION_HOLD:
		return parse_duration(chaos, "hold", value, &chaos->hold_ns);
	case OPTION_FOR:
		return parse_duration(chaos, "for", value, &chaos->for_ns);
	case OPTION_COUNT:
		return parse_number(chaos, "count", value, &chaos->count);
	case OPTION_SEED:
		return parse_number(chaos, "seed", value, &chaos->seed);
	case OPTION_DISK:
		chaos->disk = value;
		return -1;
	case OPTION_STAGE:
		chaos->stage = value;
		return -1;
	case OPTION_QUIET:
		chaos->quiet = true;
		return -1;
	case OPTION_JSON:
		chaos->json = true;
		return -1;
	default:
		unreachable_because("the table of verbs has no such option for chaos");
	}
}

static int parse_arguments(struct chaos *chaos, int argc, char **argv)
{
	struct command_parser parser = COMMAND_PARSER(argc, argv);
	bool any = false;
	int id, r;

	chaos->command = parser.command;
	while ((id = command_next(&parser)) > 0) {
		r = parse_option(chaos, id, parser.value);
		if (r >= 0)
			return r;
	}
	if (id < 0)
		return command_exit(id);
	chaos->name = argv[parser.first];
	if (!pipeline_name_valid(chaos->name))
		return command_usage_error(chaos->command, "'%s' is not a pipeline's name", chaos->name);
	for (enum chaos_act act = 0; act < CHAOS_COUNT; act++)
		any = any || chaos->period_ns[act];
	if (!any)
		return command_usage_error(
			chaos->command,
			"say what is to go wrong and how often: --kill 1s, --pause 1s, --delay 1s, --refuse 1s, --fill 10s");
	if (chaos->period_ns[CHAOS_FILL] && !chaos->disk)
		return command_usage_error(
			chaos->command,
			"--fill needs --disk FOLDER: all room of the file system that it is on will be taken");
	return -1;
}

/* ---- telling ---- */

static void say(const struct chaos *chaos, enum chaos_act act, uint64_t hold_ns, const struct chaos_victim *victim,
		uint64_t bytes)
{
	uint64_t at_ns = clock_now_ns() - chaos->begun_ns;
	char at[QUANTITY_TEXT_SIZE], hold[QUANTITY_TEXT_SIZE], size[QUANTITY_TEXT_SIZE];

	if (chaos->quiet)
		return;
	if (chaos->json) {
		printf("{\"act\":\"%s\",\"at\":%.3f", acts[act].name, (double)at_ns / (double)NS_PER_S);
		if (victim)
			printf(",\"stage\":\"%s\",\"worker\":%" PRIu32 ",\"pid\":%d,\"generation\":%" PRIu32,
			       victim->stage, victim->index, (int)victim->pid, victim->generation);
		else
			printf(",\"bytes\":%" PRIu64, bytes);
		if (hold_ns)
			printf(",\"hold\":%.3f", (double)hold_ns / (double)NS_PER_S);
		printf("}\n");
		return;
	}
	printf("%8s  %-6s", quantity_format_duration(at_ns, at), acts[act].name);
	if (victim)
		printf("  %s#%" PRIu32 "  pid %d  generation %" PRIu32, victim->stage, victim->index, (int)victim->pid,
		       victim->generation);
	else
		printf("  %s: %s", chaos->disk, quantity_format_size(bytes, size));
	if (hold_ns)
		printf("  for %s", quantity_format_duration(hold_ns, hold));
	printf("\n");
}

static void say_sum(const struct chaos *chaos, bool pipeline_ended)
{
	uint64_t passed_ns = clock_now_ns() - chaos->begun_ns;
	char passed[QUANTITY_TEXT_SIZE], number[QUANTITY_TEXT_SIZE];

	if (chaos->json) {
		printf("{\"pipeline\":\"%s\",\"seconds\":%.3f,\"seed\":%" PRIu64 ",\"pipeline_ended\":%s", chaos->name,
		       (double)passed_ns / (double)NS_PER_S, chaos->seed, pipeline_ended ? "true" : "false");
		for (enum chaos_act act = 0; act < CHAOS_COUNT; act++)
			printf(",\"%s\":%" PRIu64, acts[act].name, chaos->n_done[act]);
		printf("}\n");
		return;
	}
	printf("%s: ", chaos->name);
	for (enum chaos_act act = 0; act < CHAOS_COUNT; act++)
		if (chaos->period_ns[act])
			printf("%s %s, ", acts[act].name, quantity_format_count(chaos->n_done[act], number));
	printf("in %s; seed %" PRIu64 "%s\n", quantity_format_duration(passed_ns, passed), chaos->seed,
	       pipeline_ended ? "; the pipeline has ended" : "");
}

/* ---- acts ---- */

static void end_guard(struct chaos *chaos, enum chaos_act act)
{
	if (!chaos->guarded_until_ns[act])
		return;
	chaos_guard_end(&chaos->guards[act]);
	chaos->guarded_until_ns[act] = 0;
}

static void end_fill(struct chaos *chaos)
{
	chaos->fill_fd = fd_close(chaos->fill_fd);
	chaos->fill_until_ns = 0;
}

static uint64_t throw_hold_ns(struct chaos *chaos)
{
	return 1 + chaos_schedule_choose(&chaos->schedule, chaos->hold_ns);
}

/* Returns 0: done; 1: it is gone; -errno. */
static int hold_worker(struct chaos *chaos, enum chaos_act act, const struct chaos_victim *victim)
{
	uint64_t hold_ns = throw_hold_ns(chaos);
	int r = chaos_guard_begin(&chaos->guards[act], act, victim, hold_ns);

	if (r == 0) {
		chaos->guarded_until_ns[act] = clock_now_ns() + hold_ns;
		say(chaos, act, hold_ns, victim, 0);
	}
	return r;
}

/* Returns 0: done; 1: nobody to do it to; -errno. */
static int act_on_worker(struct chaos *chaos, enum chaos_act act, const struct view *view)
{
	uint32_t n = chaos_victims(view, chaos->stage);
	struct chaos_victim victim = CHAOS_VICTIM_NULL;
	int r;

	if (chaos->guarded_until_ns[act])
		return 1;
	if (!n ||
	    chaos_victim_take(view, chaos->stage, (uint32_t)chaos_schedule_choose(&chaos->schedule, n), &victim) != 0)
		return 1;
	if (act != CHAOS_KILL) {
		r = hold_worker(chaos, act, &victim);
	} else {
		r = chaos_victim_signal(&victim, SIGKILL);
		if (r == 0)
			say(chaos, act, 0, &victim, 0);
	}
	chaos_victim_release(&victim);
	if (r < 0)
		fprintf(stderr, "weir: can not %s a worker: %s\n", acts[act].name, strerror(-r));
	return r;
}

/* Returns r. */
static int explain_disk(const struct chaos *chaos, int r)
{
	fprintf(stderr, "weir: can not fill the disk that '%s' is on: %s; name a folder there that can be written to\n",
		chaos->disk, strerror(-r));
	return r;
}

static int act_on_disk(struct chaos *chaos)
{
	uint64_t bytes = 0, hold_ns = throw_hold_ns(chaos);
	int r;

	if (chaos->fill_until_ns)
		return 1;
	r = chaos_fill(chaos->disk, &chaos->fill_fd, &bytes);
	if (r < 0)
		return explain_disk(chaos, r);
	chaos->fill_until_ns = clock_now_ns() + hold_ns;
	say(chaos, CHAOS_FILL, hold_ns, NULL, bytes);
	return 0;
}

static bool is_readable(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	return poll(&pollfd, 1, 0) > 0;
}

/*
 * The pipeline may end between the look and the question: its socket goes first, its process soon after. And where chaos reigns it may be
 * long in coming to an answer: to give up at once would end a test of hours. Returns 0, or an exit code after a line on stderr, but for a
 * pipeline that has ended.
 */
static int ask_status(const struct chaos *chaos, struct text *body)
{
	struct pollfd ended = { .fd = chaos->supervisor_fd, .events = POLLIN };
	int status = 0, r = CONTROL_E_NO_ANSWER;

	for (unsigned i = 0; r == CONTROL_E_NO_ANSWER && i < QUESTIONS_MAX; i++) {
		if (i && (is_readable(chaos->supervisor_fd) || is_readable(chaos->signal_fd)))
			break;
		text_clear(body);
		r = pipeline_try(chaos->name, "status", NULL, 0, &status, body);
	}
	if ((r == CONTROL_E_NOT_RUNNING || r == CONTROL_E_NO_ANSWER) &&
	    poll(&ended, 1, r == CONTROL_E_NOT_RUNNING ? ENDING_MS : 0) > 0)
		return EXIT_NOT_RUNNING;
	return pipeline_explain(chaos->name, "status", r, status, text_get(body));
}

/* Returns 0, also if there was nobody to do it to; an exit code. */
static int act_now(struct chaos *chaos, enum chaos_act act)
{
	_cleanup_(view_copy_deinit) struct view_copy copy = VIEW_COPY_NULL;
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	int r = 0;

	if (act == CHAOS_FILL) {
		r = act_on_disk(chaos);
	} else {
		r = ask_status(chaos, &body);
		if (r != 0)
			return r;
		r = view_read(text_get(&body), &copy) == 0 ? act_on_worker(chaos, act, &copy.view) : 1;
	}
	if (r == 0) {
		chaos->n_done[act]++;
		chaos->n_all++;
	}
	chaos_schedule_done(&chaos->schedule, act, clock_now_ns());
	return r < 0 ? EXIT_TRY_AGAIN : 0;
}

/* ---- the loop ---- */

/* Until a signal, the pipeline's end, or the time. */
static void wait_until(const struct chaos *chaos, uint64_t until_ns)
{
	struct pollfd pollfds[] = { { .fd = chaos->supervisor_fd, .events = POLLIN },
				    { .fd = chaos->signal_fd, .events = POLLIN } };

	(void)poll(pollfds, sizeof(pollfds) / sizeof(pollfds[0]),
		   deadline_poll_ms(until_ns, clock_now_ns(), LOOK_MS_MAX));
}

static bool is_over(const struct chaos *chaos, uint64_t now_ns)
{
	return (chaos->count && chaos->n_all >= chaos->count) ||
	       (chaos->for_ns && now_ns - chaos->begun_ns >= chaos->for_ns) || is_readable(chaos->supervisor_fd) ||
	       is_readable(chaos->signal_fd);
}

/* When the first of those that last is over; 0: there is none. */
static uint64_t end_of_holds_ns(const struct chaos *chaos)
{
	uint64_t end_ns = chaos->fill_until_ns;

	for (enum chaos_act act = 0; act < CHAOS_COUNT; act++)
		end_ns = deadline_earlier(end_ns, chaos->guarded_until_ns[act]);
	return end_ns;
}

/* Returns an exit code. */
static int rage(struct chaos *chaos)
{
	for (;;) {
		uint64_t now_ns = clock_now_ns(), due_ns = 0,
			 end_ns = chaos->for_ns ? chaos->begun_ns + chaos->for_ns : 0;
		enum chaos_act act = chaos_schedule_next(&chaos->schedule, &due_ns);
		int r;

		for (enum chaos_act held = 0; held < CHAOS_COUNT; held++)
			if (now_ns >= chaos->guarded_until_ns[held])
				end_guard(chaos, held);
		if (chaos->fill_until_ns && now_ns >= chaos->fill_until_ns)
			end_fill(chaos);
		if (is_over(chaos, now_ns))
			return EXIT_DONE;
		if (now_ns < due_ns) {
			wait_until(chaos, deadline_earlier(deadline_earlier(due_ns, end_of_holds_ns(chaos)), end_ns));
			continue;
		}
		r = act_now(chaos, act);
		/* It may have ended between the look and the question. */
		if (r != 0)
			return is_readable(chaos->supervisor_fd) || is_readable(chaos->signal_fd) ? EXIT_DONE : r;
	}
}

static bool has_stage(const struct view *view, const char *name)
{
	for (uint32_t i = 0; i < view->n_stages; i++)
		if (strcmp(view->stages[i].name, name) == 0)
			return true;
	return false;
}

/* Finds the pipeline and the disk, and takes the signals. Returns 0 or an exit code after one line on stderr. */
static int begin(struct chaos *chaos)
{
	_cleanup_(view_copy_deinit) struct view_copy copy = VIEW_COPY_NULL;
	_cleanup_(text_deinit) struct text body = TEXT_NULL;
	sigset_t ending;
	int r = pipeline_view(chaos->name, &copy, &body);

	if (r != 0)
		return r;
	if (chaos->stage && !has_stage(&copy.view, chaos->stage))
		return command_usage_error(chaos->command, "pipeline '%s' has no stage '%s'; 'weir ps %s' lists them",
					   chaos->name, chaos->stage, chaos->name);
	if (chaos->period_ns[CHAOS_FILL]) {
		r = chaos_fill_possible(chaos->disk);
		if (r < 0) {
			explain_disk(chaos, r);
			return EXIT_TRY_AGAIN;
		}
	}
	sigemptyset(&ending);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGHUP);
	sigprocmask(SIG_BLOCK, &ending, NULL);
	chaos->supervisor_fd = (int)syscall(SYS_pidfd_open, copy.view.pid, 0);
	chaos->signal_fd = signalfd(-1, &ending, SFD_CLOEXEC);
	if (chaos->supervisor_fd < 0 || chaos->signal_fd < 0) {
		fprintf(stderr, "weir: can not watch pipeline '%s': %s\n", chaos->name, strerror(errno));
		return EXIT_TRY_AGAIN;
	}
	chaos->begun_ns = clock_now_ns();
	if (!chaos->seed)
		chaos->seed = chaos->begun_ns ^ (uint64_t)getpid() << 32;
	chaos_schedule_init(&chaos->schedule, chaos->seed);
	for (enum chaos_act act = 0; act < CHAOS_COUNT; act++)
		if (chaos->period_ns[act])
			chaos_schedule_every(&chaos->schedule, act, chaos->period_ns[act], chaos->begun_ns);
	return 0;
}

int chaos_command(int argc, char **argv)
{
	struct chaos chaos = {
		.hold_ns = HOLD_DEFAULT_NS,
		.supervisor_fd = -1,
		.signal_fd = -1,
		.fill_fd = -1,
	};
	bool ended;
	int r = parse_arguments(&chaos, argc, argv);

	if (r >= 0)
		return r;
	setvbuf(stdout, NULL, _IOLBF, 0); /* each act is told as it happens */
	r = begin(&chaos);
	if (r == 0) {
		r = rage(&chaos);
		ended = is_readable(chaos.supervisor_fd);
		for (enum chaos_act act = 0; act < CHAOS_COUNT; act++)
			end_guard(&chaos, act);
		end_fill(&chaos);
		say_sum(&chaos, ended);
	}
	fd_close(chaos.supervisor_fd);
	fd_close(chaos.signal_fd);
	return r;
}
