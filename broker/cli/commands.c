/* SPDX-License-Identifier: Apache-2.0 */
/* The table of verbs. */
#include "broker/cli/check.h"
#include "broker/cli/command.h"
#include "broker/cli/dlq.h"
#include "broker/cli/graph.h"
#include "broker/cli/stages.h"
#include "broker/cli/verbs.h"

#define TABLE_ARGUMENTS_MAX 1026u /* what to do, where, and the keys */
#define OPTION_LINE_JSON                                                 \
	{                                                                \
		OPTION_JSON, "json", 0, NULL, "print JSON, for programs" \
	}
#define OPTION_LINE_SET                                                                                       \
	{                                                                                                     \
		OPTION_SET, "set", 's', "KEY=VALUE", "change a value of the spec, e.g. stages.NAME.workers=4" \
	}
#define OPTION_LINE_LOCKED                                                                              \
	{                                                                                               \
		OPTION_LOCKED, "locked", 0, NULL, "refuse files that are not as `weir lock` found them" \
	}
#define OPTION_LINE_TIMEOUT(default_)                                                  \
	{                                                                              \
		OPTION_TIMEOUT, "timeout", 't', "DURATION",                            \
			"time that the pipeline has, e.g. 10s (default: " default_ ")" \
	}
#define OPTION_LINE_NO_WAIT                                                          \
	{                                                                            \
		OPTION_NO_WAIT, "no-wait", 0, NULL, "return once the order is given" \
	}

#define STOP_EXIT_CODES                                                                                \
	"Exit code: 0 the pipeline has ended (with --no-wait: has the order), 3 it was not running,\n" \
	"4 it is still there after the deadline, 75 it did not answer."

const struct command commands[] = {
	{ .name = "run",
	  .arguments = "SPEC",
	  .min_arguments = 1,
	  .max_arguments = 1,
	  .run = run_command,
	  .summary = "run a pipeline until its input ends or it is told to stop",
	  .description =
		  "SPEC is a YAML file, or - for standard input. Data goes to standard output, everything else to standard\n"
		  "error. The first ^C (SIGINT, SIGTERM) stops the sources and lets everything accepted arrive; each further\n"
		  "one is less patient.\n\n"
		  "Exit code: 0 done, 1 the spec is wrong, 2 usage, 3 ended with losses, 4 the drain deadline passed, 5 the\n"
		  "ledger does not balance, 75 could not start (nothing was accepted), 128+n ended by signal n, nothing lost.",
	  .options = { OPTION_LINE_SET,
		       OPTION_LINE_LOCKED,
		       { OPTION_PROGRESS, "progress", 'p', "auto|always|never|json",
			 "what to show while it runs (default: auto)" },
		       { OPTION_QUIET, "quiet", 'q', NULL, "print warnings and errors only" },
		       { OPTION_VERBOSE, "verbose", 'v', NULL, "print debug lines too" },
		       { OPTION_JSON, "json", 0, NULL, "progress, log and summary as JSON lines on standard error" },
		       { OPTION_LOG_FORMAT, "log-format", 0, "text|logfmt|json",
			 "form of log lines (default: text on a terminal)" },
		       { OPTION_KEEP, "keep", 0, "DIR",
			 "keep what is in flight if weir itself dies; the same command goes on with it" },
		       { OPTION_KEEP_FOR, "keep-for", 0, "DURATION", "how long it is kept then (default: 10m)" } } },
	{ .name = "check",
	  .arguments = "SPEC",
	  .min_arguments = 1,
	  .max_arguments = 1,
	  .run = check_command,
	  .summary = "check a spec: all errors at once, and the memory it can use",
	  .description =
		  "Runs nothing, touches no state and needs no network. Exit code: 0 the spec can run, 1 it can not.",
	  .options = { OPTION_LINE_SET, OPTION_LINE_LOCKED, OPTION_LINE_JSON } },
	{ .name = "lock",
	  .arguments = "SPEC",
	  .min_arguments = 1,
	  .max_arguments = 1,
	  .run = lock_command,
	  .summary = "write down with which files a spec was found good: SPEC.lock",
	  .description =
		  "The lock holds the SHA-256 of the spec, and of the plugins, programs and scripts that it names. `weir run --locked`\n"
		  "and `weir check --locked` refuse others. What a shell command runs and what is found by PATH is not in it, and it\n"
		  "says so. `sha256sum -c` reads a lock, too.\n\n"
		  "Exit code: 0 it is written, 1 the spec has errors, 2 usage, 75 a file can not be read, or the lock be written.",
	  .options = { OPTION_LINE_SET, OPTION_LINE_JSON } },
	{ .name = "graph",
	  .arguments = "SPEC",
	  .min_arguments = 1,
	  .max_arguments = 1,
	  .run = graph_command,
	  .summary = "draw a pipeline as text, DOT or Mermaid",
	  .options = { { OPTION_FORMAT, "format", 'f', "text|dot|mermaid|json", "what to write (default: text)" },
		       { OPTION_DOT, "dot", 0, NULL, "the same as --format=dot" },
		       { OPTION_MERMAID, "mermaid", 0, NULL, "the same as --format=mermaid" },
		       OPTION_LINE_SET,
		       OPTION_LINE_JSON } },
	{ .name = "ps",
	  .arguments = "[NAME]",
	  .max_arguments = 1,
	  .run = ps_command,
	  .summary = "list running pipelines, or the stages and workers of one",
	  .options = { { OPTION_NAMES, "names", 0, NULL, "print the names of pipelines, or stages, and nothing else" },
		       OPTION_LINE_JSON } },
	{ .name = "top",
	  .arguments = "NAME",
	  .min_arguments = 1,
	  .max_arguments = 1,
	  .run = top_command,
	  .summary = "watch a pipeline: who is busy, who waits for whom, how fast, who is stuck",
	  .description =
		  "On a terminal a page that is drawn again and again, for stages, for the workers of one, for one worker: Enter goes\n"
		  "down, Esc back, s sorts, ? shows all keys, q quits. Without a terminal, and with --json, a line of JSON each time.\n\n"
		  "STATE is BUSY, WAIT-IN (for items), WAIT-OUT (for room), WAIT-EXT (for something outside), STUCK (`weir why` says\n"
		  "more), or what the log calls it. FILL is what lies in the lanes before it, AHEAD in those behind it, AGE how long it\n"
		  "has been in that state.\n\n"
		  "Exit code: 0 done, or the pipeline has ended meanwhile; 2 usage, 3 it is not running, 75 it did not answer.",
	  .options = { { OPTION_ONCE, "once", 0, NULL, "print it once, with the speeds of one interval" },
		       { OPTION_INTERVAL, "interval", 'i', "DURATION", "between two looks (default: 1s)" },
		       { OPTION_SORT, "sort", 's', "order|state|rate|p99|fill|age",
			 "by which column (default: order)" },
		       { OPTION_REVERSE, "reverse", 'r', NULL, "the other way round" },
		       OPTION_LINE_JSON } },
	{ .name = "dump",
	  .arguments = "NAME",
	  .min_arguments = 1,
	  .max_arguments = 1,
	  .run = dump_command,
	  .summary = "what every worker does, or waits for, on which lane and item, since when",
	  .description =
		  "Stuck or not: what it does or waits for, and since when, the item in hand, what the kernel says of it and of its\n"
		  "program, how full its lanes are, its books. With --backtrace also in which functions it is: a signal (SIGQUIT), as\n"
		  "for `weir why --stack`.\n\n"
		  "Exit code: 0 done, 1 a worker has not said in which function it is, 2 usage, 3 the pipeline is not running, 75 it\n"
		  "did not answer.",
	  .options = { { OPTION_BACKTRACE, "backtrace", 'b', NULL, "also in which functions they are" },
		       OPTION_LINE_JSON } },
	{ .name = "why",
	  .arguments = "[NAME]",
	  .max_arguments = 1,
	  .run = why_command,
	  .summary = "what keeps a pipeline from moving, or holds it back, and what to do",
	  .description =
		  "Names deadlocks and stalls with their culprit: who waits for whom, since when, on which item. If there are none, the\n"
		  "pipeline is looked at for a second (--window), and whoever holds it back is named, with the numbers that say so: a\n"
		  "stage that needs all of its time, a slow worker, a hot key, a lane that is too small, workers that die, items that\n"
		  "are lost ... Then all who wait for a neighbour now. Without a name: all that run.\n\n"
		  "With --stack: in which function each worker of that stage is now, and who called it, innermost first. It is a\n"
		  "signal (SIGQUIT), so a stage that sleeps in a system call may be woken by it. A stage that has blocked the\n"
		  "signal, or lies in a call that can not be interrupted, does not answer.\n\n"
		  "Exit code: 0 nothing is stuck, and nothing holds it back but what its spec asks for, 1 something is stuck, or does\n"
		  "not answer, 2 usage, 3 the pipeline is not running, 4 it moves, and something holds it back, 75 it did not answer,\n"
		  "or can not be looked at.",
	  .options = { { OPTION_WINDOW, "window", 'w', "DURATION",
			 "how long it is looked at (default: 1s); 0: only for what is stuck" },
		       { OPTION_STAGE, "stack", 0, "STAGE", "where the workers of a stage are: functions" },
		       OPTION_LINE_JSON } },
	{ .name = "tap",
	  .arguments = "NAME [STAGE|FROM:TO]",
	  .min_arguments = 1,
	  .max_arguments = 2,
	  .run = tap_command,
	  .summary = "show items as they pass on an edge, and hold nobody up",
	  .description =
		  "An edge is FROM:TO, or FROM.OUTPUT:TO; a stage stands for all edges at it, nothing for all. Items are copied out\n"
		  "of memory that can only be read; what was overwritten meanwhile is counted, not shown. Of a busy edge they are\n"
		  "samples, spread evenly over the time; of a quiet one, all. ^C ends it, and so does the end of the pipeline.\n\n"
		  "--filter sees what is structured, or JSON text, as its value, any other text as a string. --redact is given paths\n"
		  "such as .user.name, .users.*.key, or ..password for that name anywhere; an item in which they can't be followed\n"
		  "is withheld whole.\n\n"
		  "Exit code: 0 done, or the pipeline has ended; 2 usage, there is no such edge, or the filter does not compile; 3\n"
		  "the pipeline is not running; 75 it can not be looked into, or the filter took too long or too much.",
	  .options = { { OPTION_RATE, "rate", 'r', "N", "items a second, at most (default: 10)" },
		       { OPTION_COUNT, "count", 'n', "N", "end after so many items" },
		       { OPTION_FOR, "for", 0, "DURATION", "end after this time" },
		       { OPTION_FILTER, "filter", 'f', "JQ", "only items for which this says neither false nor null" },
		       { OPTION_REDACT, "redact", 0, "PATHS", "show *** instead of these values" },
		       { OPTION_RAW, "raw", 0, NULL, "the payload alone, with a newline behind it" },
		       { OPTION_HEX, "hex", 0, NULL, "the payload in hexadecimal digits" },
		       { OPTION_MAX_BYTES, "max-bytes", 'm', "SIZE",
			 "show so much of a payload, 0: all (default: 1KiB; all with --json, --raw)" },
		       { OPTION_QUIET, "quiet", 'q', NULL, "no sum at the end" },
		       OPTION_LINE_JSON } },
	{ .name = "profile",
	  .arguments = "NAME",
	  .min_arguments = 1,
	  .max_arguments = 1,
	  .run = profile_command,
	  .summary = "who waits for whom, at which lane, for how long",
	  .description =
		  "The pipeline is looked at for ten seconds (--window). Then, for each lane that somebody has waited at: who, for whom,\n"
		  "how long and how often; the longest first. A full lane is held by who reads it, an empty one by who writes it. With\n"
		  "--pprof the same as a file for `go tool pprof`, with a frame for who waits, for the lane, and for who holds it.\n\n"
		  "Exit code: 0 done, 2 usage, 3 the pipeline is not running, 75 it comes up, ends, or can not be looked at, or the\n"
		  "file can not be written.",
	  .options = { { OPTION_WINDOW, "window", 'w', "DURATION", "how long it is looked at (default: 10s)" },
		       { OPTION_PPROF, "pprof", 0, "PATH", "write it there, in the format of pprof" },
		       OPTION_LINE_JSON } },
	{ .name = "trace",
	  .arguments = "record|export NAME|DIR",
	  .min_arguments = 2,
	  .max_arguments = 2,
	  .run = trace_command,
	  .summary = "write what a running pipeline's flight recorders note to the disk; export that for viewers",
	  .description =
		  "Each worker notes what it does in a ring in shared memory, always. record NAME copies these rings into files\n"
		  "that babeltrace2 reads as they stand (Common Trace Format 1.8): first what they hold already, then what is\n"
		  "written, until --for is over, the pipeline ends, or ^C. The pipeline does not notice. What was overwritten\n"
		  "before it could be read is counted as discarded.\n\n"
		  "export DIR makes of such a folder what others read: a timeline with a track for each worker, with flows along\n"
		  "items and from who rings to who is woken (--perfetto), stacks for flame graphs (--folded), spans for an\n"
		  "OpenTelemetry collector, over OTLP/HTTP with JSON (--otlp). Memory does not grow with the length of the trace.\n"
		  "- is standard output.\n\n"
		  "Exit code: 0 done, 2 usage, 3 the pipeline is not running, or there is no such trace, 75 it can not be looked\n"
		  "at, files can not be read or written, the collector does not take them, or the supervisor was lost.",
	  .options = { { OPTION_OUTPUT, "output", 'o', "DIR", "record: the folder to make" },
		       { OPTION_FOR, "for", 0, "DURATION", "record: end after this time (0s: what is noted now)" },
		       { OPTION_PERFETTO, "perfetto", 0, "PATH",
			 "export: the timeline, for ui.perfetto.dev and chrome://tracing" },
		       { OPTION_FOLDED, "folded", 0, "PATH", "export: where time went, for flamegraph.pl" },
		       { OPTION_OTLP, "otlp", 0, "URL",
			 "export: items as spans, to a collector, e.g. http://127.0.0.1:4318" },
		       { OPTION_SAMPLE, "sample", 0, "SHARE",
			 "export: only so many of the traces, e.g. 0.1 (default: 1)" },
		       { OPTION_TIMEOUT, "timeout", 't', "DURATION",
			 "export: how long a request is tried (default: 30s)" },
		       { OPTION_QUIET, "quiet", 'q', NULL, "say nothing if all is well" } } },
	{ .name = "history",
	  .arguments = "NAME",
	  .min_arguments = 1,
	  .max_arguments = 1,
	  .run = history_command,
	  .summary = "what has happened in a run: starts, deaths, stalls, orders, reloads",
	  .description =
		  "One line each: when, who, what, why. Of the run that is going on, or of the last one: it is kept in the state folder,\n"
		  "at most two megabytes of all runs of a pipeline.\n\n"
		  "Exit code: 0 done, 2 usage, 3 the pipeline is not running and nothing of it is kept, 75 it did not answer, or the\n"
		  "folder can not be read.",
	  .options = { { OPTION_FOLLOW, "follow", 'f', NULL, "go on until the pipeline has ended" },
		       { OPTION_ALL, "all", 'a', NULL, "of all runs that are kept" },
		       OPTION_LINE_JSON } },
	{ .name = "metrics",
	  .arguments = "NAME",
	  .min_arguments = 1,
	  .max_arguments = 1,
	  .run = metrics_command,
	  .summary = "print a pipeline's metrics for Prometheus, or as JSON; send them to a collector",
	  .description =
		  "The numbers as they stand now, in Prometheus' text format, or over OTLP/HTTP with JSON. docs/metrics.md lists them.\n\n"
		  "Exit code: 0 done, 2 usage, 3 the pipeline is not running, 75 it did not answer, or the collector did not take them.",
	  .options = { OPTION_LINE_JSON,
		       { OPTION_OTLP, "otlp", 0, "URL", "send them to this collector, e.g. http://127.0.0.1:4318" },
		       { OPTION_TIMEOUT, "timeout", 't', "DURATION", "how long that is tried (default: 30s)" } } },
	{ .name = "console",
	  .arguments = "NAME",
	  .min_arguments = 1,
	  .max_arguments = 1,
	  .run = console_command,
	  .summary = "serve a pipeline's dashboard, metrics and health over HTTP, read-only",
	  .description =
		  "A process of its own that only looks: it ends with the pipeline, and may be killed at any time. Without --listen it is\n"
		  "found at the socket `console` in the run folder (curl --unix-socket). There is no password: who may connect may read\n"
		  "figures, names and reasons, but no payload. docs/console.md lists what there is.\n\n"
		  "Exit code: 0 the pipeline has ended, or it was told to end; 2 usage; 3 the pipeline is not running, or is gone; 75 it\n"
		  "can not listen.",
	  .options = { { OPTION_LISTEN, "listen", 'l', "unix:PATH|HOST:PORT", "where, e.g. 127.0.0.1:9464" },
		       { OPTION_HOST, "host", 0, "NAME", "a name by which it is asked for over TCP, beside localhost" },
		       { OPTION_WAIT, "wait", 'w', NULL, "serve also while the pipeline does not run" } } },
	{ .name = "drain",
	  .arguments = "NAME",
	  .min_arguments = 1,
	  .max_arguments = 1,
	  .run = stop_command,
	  .summary = "let a pipeline finish what it has accepted, then end it",
	  .description =
		  "The sources take nothing more in; everything accepted goes on to its sink.\n\n" STOP_EXIT_CODES,
	  .options = { OPTION_LINE_TIMEOUT("the spec's drain"), OPTION_LINE_NO_WAIT, OPTION_LINE_JSON } },
	{ .name = "resume",
	  .arguments = "NAME",
	  .min_arguments = 1,
	  .max_arguments = 1,
	  .run = resume_command,
	  .summary = "take a drain back: sources that have not ended go on",
	  .description =
		  "A source that was told to drain rests until what it gave has been taken; as long as every source rests, the\n"
		  "pipeline can run again, with nothing lost or repeated. It is refused, with the reason, if a source has ended\n"
		  "its stream (those with a loop of their own end at once), if a stage has failed, or if the pipeline is being\n"
		  "cancelled; and once it has been tried in vain.\n\n"
		  "Exit code: 0 it runs again, 2 usage, 3 the pipeline is not running, 4 it goes on to drain, 75 it refused or did\n"
		  "not answer.",
	  .options = { OPTION_LINE_JSON } },
	{ .name = "reload",
	  .arguments = "NAME [SPEC]",
	  .min_arguments = 1,
	  .max_arguments = 2,
	  .run = reload_command,
	  .summary = "put a changed spec into force while the pipeline runs",
	  .description =
		  "Without SPEC: the file that it runs with, read again. It is checked as at a start; new workers of the stages that\n"
		  "have changed begin beside the old ones, and take over when all of them can. Other stages notice nothing, and\n"
		  "nothing is lost or done twice. If a new worker fails in its probation, the spec before comes back by itself. What\n"
		  "can not be changed while it runs is named, and nothing is done. Of several reloads at once the newest counts.\n\n"
		  "Exit code: 0 it runs, or nothing has changed; 1 the spec has errors, or can not be put into force while it runs; 2\n"
		  "usage; 3 the pipeline is not running; 4 a new worker could not begin, failed or was late: the spec before goes on; 75\n"
		  "the pipeline is being ended, or did not answer.",
	  .options = { { OPTION_DIFF, "diff", 'd', NULL, "only tell what would be kept, restarted, refused" },
		       { OPTION_OPENING, "opening", 0, "DURATION",
			 "how long a new worker may take to open its stage (default: 4s)" },
		       { OPTION_PROBATION, "probation", 0, "DURATION",
			 "how long new workers are watched (default: 3s)" },
		       { OPTION_NO_WAIT, "no-wait", 0, NULL,
			 "return after the switch, before the end of the probation" },
		       OPTION_LINE_JSON } },
	{ .name = "scale",
	  .arguments = "NAME STAGE=N",
	  .min_arguments = 2,
	  .max_arguments = 2,
	  .run = scale_command,
	  .summary = "give a stage of a running pipeline more workers, or fewer",
	  .description =
		  "N is within the stage's bounds: workers: {min, max} in the spec, or 1 and the number of workers. New ones get\n"
		  "their share once they are ready; those that are too many finish what was dealt to them, and end. Nothing is lost\n"
		  "or repeated, and order: fifo, and the order of each key, hold. A stage that remembers something in its workers\n"
		  "is refused, with the reason; so are sources.\n\n"
		  "Exit code: 0 it has as many, 2 usage, or there is no such stage, 3 the pipeline is not running, 4 not (yet): the\n"
		  "log says why, 75 it refused or did not answer.",
	  .options = { OPTION_LINE_TIMEOUT("30s"), OPTION_LINE_NO_WAIT, OPTION_LINE_JSON } },
	{ .name = "stop",
	  .arguments = "NAME",
	  .min_arguments = 1,
	  .max_arguments = 1,
	  .run = stop_command,
	  .summary = "drain, but for 5 seconds at most",
	  .description = STOP_EXIT_CODES,
	  .options = { OPTION_LINE_TIMEOUT("5s"), OPTION_LINE_NO_WAIT, OPTION_LINE_JSON } },
	{ .name = "cancel",
	  .arguments = "NAME[/STAGE]",
	  .min_arguments = 1,
	  .max_arguments = 1,
	  .run = stop_command,
	  .summary = "end a pipeline, one stage, or all items of one scope at once; what is dropped is counted",
	  .description =
		  "NAME ends the pipeline. NAME/STAGE ends that stage: what comes to it is discarded, the rest goes on. --scope ends one\n"
		  "request among many: its items are not started any more, by no stage; all others go on.\n\n" STOP_EXIT_CODES
		  "\nOf a stage or scope: 0 all workers have acknowledged it, 2 there is no such stage, 4 the ones that are named have\n"
		  "not yet, 75 refused.",
	  .options = { { OPTION_SCOPE, "scope", 0, "NUMBER", "items that belong to this scope, in all stages" },
		       { OPTION_FOR, "for", 0, "DURATION", "how long the scope stays cancelled (default: 10m)" },
		       { OPTION_CAUSE, "cause", 'c', "CAUSE", "why, for log and ledger (default: user)" },
		       OPTION_LINE_TIMEOUT("5s"),
		       OPTION_LINE_NO_WAIT,
		       OPTION_LINE_JSON } },
	{ .name = "chaos",
	  .arguments = "NAME",
	  .min_arguments = 1,
	  .max_arguments = 1,
	  .run = chaos_command,
	  .summary = "kill, pause, slow down workers of a running pipeline, fill its disk: to see that it holds",
	  .description =
		  "Each DURATION is a mean: an act comes after half of it at least, one and a half at most. Runs until the\n"
		  "pipeline ends, --for or --count is over, or ^C; then, and if it is killed, all is as it was: paused workers go\n"
		  "on, descriptors are to be had, the disk has its room.\n\n"
		  "Exit code: 0 it has done what it should, or the pipeline has ended; 3 it was not running, 75 it did not\n"
		  "answer, or the disk can not be filled.",
	  .options = { { OPTION_KILL, "kill", 'k', "DURATION", "every so often SIGKILL for a worker" },
		       { OPTION_PAUSE, "pause", 'p', "DURATION", "every so often SIGSTOP for a worker, then SIGCONT" },
		       { OPTION_DELAY, "delay", 0, "DURATION",
			 "every so often a worker that runs a tenth of the time" },
		       { OPTION_REFUSE, "refuse", 0, "DURATION",
			 "every so often a worker that gets no new descriptors (EMFILE)" },
		       { OPTION_FILL, "fill", 0, "DURATION", "every so often no room on a disk: needs --disk" },
		       { OPTION_DISK, "disk", 0, "FOLDER", "a folder on the disk to fill" },
		       { OPTION_HOLD, "hold", 0, "DURATION",
			 "at most so long a pause, delay, refusal, full disk (default: 100ms)" },
		       { OPTION_STAGE, "stage", 0, "STAGE", "only workers of this stage" },
		       { OPTION_FOR, "for", 0, "DURATION", "end after this time" },
		       { OPTION_COUNT, "count", 'n', "N", "end after so many acts" },
		       { OPTION_SEED, "seed", 0, "N", "the same dice as in the run that told this number" },
		       { OPTION_QUIET, "quiet", 'q', NULL, "print the sum only" },
		       OPTION_LINE_JSON } },
	{ .name = "dlq",
	  .arguments = "ls|show|export|replay|purge NAME [ID...]",
	  .min_arguments = 2,
	  .max_arguments = DLQ_ARGUMENTS_MAX,
	  .run = dlq_command,
	  .summary = "list, show, export, replay or purge the dead letters of a pipeline",
	  .description =
		  "Dead letters are items that cost too many workers, or that a stage refused. They outlive the run, in the state\n"
		  "folder: WEIR_STATE_DIR, or ~/.local/state/weir (root: /var/lib/weir). Stages with a file of their own\n"
		  "(dead_letter: {path: FILE}) keep theirs there.\n\n"
		  "ls lists them, show shows one with its payload and how its workers died, export writes them as JSON lines,\n"
		  "purge removes them for good: those of the IDs, of a --stage, of a --cause, or --all. replay gives them to\n"
		  "their stage again, in the pipeline that runs now: each leaves the store when the stage has taken it, and comes\n"
		  "back with a longer story when it fails again.\n\n"
		  "Exit code: 0 done, 1 replay: some came back or were not taken, 2 usage, 3 there is no such letter, or no\n"
		  "pipeline to replay in, 75 the store can not be read or written, or the pipeline refused.",
	  .options = { { OPTION_STAGE, "stage", 0, "STAGE", "only letters of this stage" },
		       { OPTION_CAUSE, "cause", 'c', "attempts|deadline|rejected", "only letters with this cause" },
		       { OPTION_ALL, "all", 'a', NULL, "replay, purge: every letter" },
		       { OPTION_AGAIN, "again", 0, NULL,
			 "replay: also what may have arrived when worker and supervisor were killed" },
		       { OPTION_RAW, "raw", 0, NULL, "export: the payload alone; of several letters, a line each" },
		       { OPTION_TIMEOUT, "timeout", 't', "DURATION",
			 "replay: wait at most so long, for its turn to write too" },
		       { OPTION_NO_WAIT, "no-wait", 0, NULL, "replay: return once the workers are told" },
		       OPTION_LINE_JSON } },
	{ .name = "table",
	  .arguments = "get|dump|stat PATH [KEY...]",
	  .min_arguments = 2,
	  .max_arguments = TABLE_ARGUMENTS_MAX,
	  .run = table_command,
	  .summary = "look into a table that `sink: table` has made",
	  .description =
		  "get prints the values of keys, as JSON, each on a line. dump prints all entries, as they were at one moment, as lines\n"
		  "{\"key\": ..., \"value\": ...} in the order of the keys' bytes. stat says how large it is, and who looks at an old state of\n"
		  "it, whose pages can't be used again until then. None of them waits for whoever writes, nor makes that wait.\n\n"
		  "Exit code: 0 done, 2 usage, 3 there is no such key, or no table, 75 it can not be read.",
	  .options = { OPTION_LINE_JSON } },
	{ .name = "stages",
	  .arguments = "[KIND | PLUGIN.so]",
	  .max_arguments = 2,
	  .run = stages_command,
	  .summary = "list the kinds of stages, or the options of one",
	  .options = { OPTION_LINE_JSON } },
	{ .name = "new",
	  .arguments = "pipeline|plugin PROJECT",
	  .min_arguments = 2,
	  .max_arguments = 2,
	  .run = new_command,
	  .summary = "begin a project, in a folder of its own, that builds and runs",
	  .description =
		  "PROJECT is the folder, which must not be there yet, and its last part the name. A pipeline comes with a spec, items\n"
		  "and a test; a plugin, a stage in C, with a Makefile, a spec that uses it and a test. Both are to be changed.\n\n"
		  "Exit code: 0 it is there, 2 usage, or something has that name, 75 it can not be written; then nothing is." },
	{ .name = "version",
	  .arguments = "",
	  .run = version_command,
	  .summary = "print the version of weir and of what it is built on",
	  .options = { OPTION_LINE_JSON } },
	{ .name = "help",
	  .arguments = "[VERB]",
	  .max_arguments = 1,
	  .run = help_command,
	  .summary = "show this, or a verb's options" },
};
const size_t n_commands = sizeof(commands) / sizeof(commands[0]);
