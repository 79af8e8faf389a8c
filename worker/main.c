/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir-worker: one stage, one process. Started by the supervisor with descriptor 3 open on its heritage; `weir-worker --describe
 * PLUGIN` prints a plugin's descriptor, `weir-worker --check` what a stage says of its options, and `weir-worker --sieve EXPR` which
 * items an expression lets pass, so that the broker need not load foreign code.
 *
 *     read heritage -> sandbox -> [a newcomer waits at the gate] -> attach -> hello -> open the stage -> ready -> [everybody is ready]
 *     -> turns -> close -> bye
 *
 * A worker may be killed at any point: whatever is not committed did not happen.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/privileges.h"
#include "common/base/text.h"
#include "worker/attach.h"
#include "worker/backtrace.h"
#include "worker/check.h"
#include "worker/children.h"
#include "worker/credentials.h"
#include "worker/decode.h"
#include "worker/describe.h"
#include "worker/encode.h"
#include "worker/gate.h"
#include "worker/host.h"
#include "worker/in_flight.h"
#include "worker/keyed.h"
#include "worker/kind.h"
#include "worker/run.h"
#include "worker/sandbox/sandbox.h"
#include "worker/scopes.h"
#include "worker/script/sieve.h"
#include "worker/stand_in.h"
#include "worker/turn.h"
#include "worker/wait.h"

enum { EXIT_WORKER_FAILED = 1, EXIT_WORKER_USAGE = 2, EXIT_WORKER_TERMINATED = 143 };

/* The ladder's third rung, and the kernel's word that the supervisor has died. What is uncommitted will be done again. */
static void handle_sigterm(int signal_number)
{
	(void)signal_number;
	children_kill_all();
	_exit(EXIT_WORKER_TERMINATED);
}

static void worker_set_signals(void)
{
	struct sigaction terminate = { .sa_handler = handle_sigterm }, ignore = { .sa_handler = SIG_IGN };

	sigemptyset(&terminate.sa_mask);
	sigaction(SIGTERM, &terminate, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGINT, &ignore, NULL);  /* a terminal's ^C is for the supervisor */
	sigaction(SIGTTOU, &ignore, NULL); /* a sink may write to the terminal from the background */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* Says why and leaves. `option` is the spec's key that can't be served, for the place of the message. */
static int worker_bye(struct worker *worker, int status, const char *reason, const char *option)
{
	if (client_send_bye(worker->client, status, reason, option) != 0)
		weir_log(WEIR_LOG_ERROR, "%s", reason ? reason : weir_status_name(status));
	worker->client = client_close(worker->client);
	return status == WEIR_OK || status == WEIR_CANCELLED ? 0 : EXIT_WORKER_FAILED;
}

/* What came of the sandbox, now that there is somebody to say it to. */
static void worker_tell_sandbox(const struct sandbox_said *said)
{
	if (said->missing.length)
		weir_log(WEIR_LOG_WARNING, "not in its sandbox: %s", text_get(&said->missing));
	if (said->in_force.length)
		weir_log(WEIR_LOG_INFO, "in a sandbox: %s", text_get(&said->in_force));
}

static int worker_open_stage(struct worker *worker)
{
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	const char *option = NULL;
	int r;

	if (worker->heritage.stands_in) {
		stand_in_open(worker);
		return 0;
	}
	if (credentials_resolve(worker->heritage.options, worker->heritage.n_options, &option, &why) != 0)
		return worker_bye(worker, WEIR_FAILED, text_get(&why), option);
	r = worker->stage.name ? 0 : kind_resolve(&worker->heritage, &worker->stage, &why); /* else: at the gate */
	if (r != 0)
		return worker_bye(worker, WEIR_FAILED, text_get(&why), worker->heritage.plugin ? "plugin" : NULL);
	if (decode_attach(worker, &why) < 0)
		return worker_bye(worker, WEIR_FAILED, text_get(&why), "decode");
	if (worker->in_flight && !worker->stage.produce) {
		snprintf(
			worker->reason, sizeof(worker->reason),
			"in_flight: %u is for stages that answer later, and this one has no produce(); leave in_flight out",
			worker->heritage.in_flight);
		return worker_bye(worker, WEIR_FAILED, worker->reason, NULL);
	}
	if (keyed_attach(worker, &why) < 0)
		return worker_bye(worker, WEIR_FAILED, text_get(&why), NULL);
	backtrace_know_stage(&worker->stage); /* by its own process(), not the one that encodes */
	if (encode_attach(worker, &why) < 0)
		return worker_bye(worker, WEIR_FAILED, text_get(&why), "encode");
	worker_set_state(worker, WORKER_STATE_OPENING, NO_LANE);
	worker->now_ns = clock_now_ns();
	r = scopes_open(worker);
	if (r < 0)
		return worker_bye(worker, r, "no memory for the stage's scope", NULL);
	worker->phase = PHASE_OPEN;
	r = worker->stage.open(&worker->context, &worker->state);
	worker->phase = PHASE_NONE;
	if (r == 0)
		return 0;
	if (r < 0)
		snprintf(worker->reason, sizeof(worker->reason), "cannot open: %s", strerror(-r));
	(void)scopes_conclude(worker, &r);
	worker_bye(worker, r < 0 ? r : WEIR_FAILED, worker->reason, NULL);
	return EXIT_WORKER_FAILED;
}

static int worker_wait_for_start(struct worker *worker)
{
	int r = 0;

	worker_set_state(worker, WORKER_STATE_READY, NO_LANE);
	client_send_ready(worker->client);
	while (r == 0 && board_order_of(worker->board, worker->heritage.slot) == BOARD_HOLD)
		r = wait_for_start(worker);
	return r < 0 ? r : wait_check_order(worker);
}

static int worker_run(struct worker *worker)
{
	int r;

	if (worker_open_stage(worker) != 0)
		return EXIT_WORKER_FAILED;
	r = worker_wait_for_start(worker);
	if (r == 0)
		r = worker->stage.run ? run_loop(worker) : turn_loop(worker);
	if (r < 0)
		snprintf(worker->reason, sizeof(worker->reason), "%s", strerror(-r));
	if (scopes_conclude(worker, &r) && worker->stage.close)
		worker->stage.close(&worker->context, worker->state);
	children_kill_all();
	if (r == 0 || r == WEIR_CANCELLED)
		worker_set_state(worker, r ? WORKER_STATE_CANCELLED : WORKER_STATE_ENDED, NO_LANE);
	return worker_bye(worker, r, r == 0 || r == WEIR_CANCELLED ? NULL : worker->reason, NULL);
}

/* Of a plugin, of options, of items: foreign code gets no more rights here than in a worker. */
static int answer_question(int argc, char **argv)
{
	int r = privileges_give_up(0);

	if (r < 0) {
		fprintf(stderr, "weir-worker cannot give up its privileges: %s\n", strerror(-r));
		return EXIT_WORKER_FAILED;
	}
	if (argc == 2)
		return check_stage_options();
	return strcmp(argv[1], "--sieve") == 0 ? sieve_items(argv[2]) : describe_plugin(argv[2]);
}

static bool is_question(int argc, char **argv)
{
	if (argc == 2)
		return strcmp(argv[1], "--check") == 0;
	return argc == 3 && (strcmp(argv[1], "--describe") == 0 || strcmp(argv[1], "--sieve") == 0);
}

int main(int argc, char **argv)
{
	static struct worker worker = { .context = { .host = &worker_host }, .watch = { .fd = -1 } };
	_cleanup_(text_deinit) struct text why = TEXT_NULL;
	struct sandbox_said said;
	int r, entered;

	if (is_question(argc, argv))
		return answer_question(argc, argv);
	if ((argc != 2 && argc != 3) || strcmp(argv[1], "3") != 0) {
		fprintf(stderr, "weir-worker: started by weir itself; see weir(1)\n");
		return EXIT_WORKER_USAGE;
	}
	prctl(PR_SET_NAME, "weir-worker"); /* executed by a descriptor, older kernels call it by its number */
	worker_set_signals();
	backtrace_begin();
	weir_host_log_for(&worker.context);
	r = heritage_read(HERITAGE_FD, &worker.heritage);
	if (r != 0) {
		fprintf(stderr, "<3>the heritage document is unusable: %s\n",
			r < 0 ? strerror(-r) : "another version, or damaged");
		return EXIT_WORKER_FAILED;
	}
	close(HERITAGE_FD);
	if (getppid() != worker.heritage.supervisor_pid)
		return EXIT_WORKER_TERMINATED;
	entered = sandbox_enter(&worker.heritage, &said, &why); /* before the client's threads */
	r = argc == 3 ? gate_wait(&worker, atoi(argv[2]), entered == 0 ? NULL : text_get(&why)) : 0;
	if (r != 0)
		return r;
	r = client_open(&worker.heritage, &worker.client);
	if (r < 0) {
		fprintf(stderr, "<3>cannot connect to the supervisor: %s\n", strerror(-r));
		return EXIT_WORKER_FAILED;
	}
	client_send_hello(worker.client);
	if (entered != 0)
		return worker_bye(&worker, WEIR_FAILED, text_get(&why), said.option[0] ? said.option : NULL);
	worker_tell_sandbox(&said);
	sandbox_said_deinit(&said);
	r = worker_attach(&worker, &why);
	if (r < 0)
		return worker_bye(&worker, WEIR_FAILED, text_get(&why), NULL);
	r = worker_run(&worker);
	scopes_close(&worker);
	worker_detach(&worker);
	return r;
}
