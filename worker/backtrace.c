/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handlers run in the middle of anything: of a commit, of malloc(), of dlopen(). So they allocate nothing, take no lock, and touch no
 * memory that others use; what they need is there from the start.
 *
 *      SIGQUIT    main thread, wherever it is     -> one line to stderr -> goes on
 *      SIGSEGV    the thread that has caused it   -> one line to stderr -> the same instruction again, by default action: the core
 *      and so on                                                           dump shows the place, and the kernel says of what it died
 *
 *      spin < get_stuck < stuck_process < turn_process < turn_loop < worker_run < main < ...
 *      '------------ shown -----------'   the runtime below a callback is the same for every stage
 *
 * The unwinder is libgcc's, by the tables that every object has for it, so no frame pointers are needed. It finds an object's tables
 * without a lock (_dl_find_object, glibc 2.35); the first call, which sets it up, is made at the start. A jump to where no code is has no
 * tables: then the pc is shown, and who called, as far as the stack's top or the link register tells. Names: common/observe/symbol.c.
 *
 * While a line is made, SIGTERM waits: whoever sends SIGQUIT and then SIGTERM gets the line first.
 */
#include "worker/backtrace.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include "common/observe/backtrace_line.h"
#include "common/observe/symbol.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FAULTS_ARE_OURS false
#else
#define FAULTS_ARE_OURS true
#endif

#define SIGNAL_STACK_BYTES 65536u
#define STDERR_KEPT_FROM 100 /* beyond what heritages and stages count on, where there are so many */
#define FRAMES_WALKED 4096u  /* a recursion without end is cut here */
#define FRAMES_KEPT 12u      /* the innermost, and the outermost in the last place */
#define CALLBACKS 8u

static const int faults[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };

/* Written before there is a signal to handle, or by whoever has `busy`. */
static struct {
	_Alignas(16) unsigned char stack[SIGNAL_STACK_BYTES];
	int fd;
	uintptr_t callbacks[CALLBACKS], main;
	uintptr_t plugin, plugin_end; /* where it lies; of a built-in stage this whole program */
	atomic_flag busy;
	struct symbol_frame frames[FRAMES_KEPT];
	size_t n_frames, n_walked, n_down_to_plugin;
	bool interrupted; /* the frames of the handler itself are behind us */
	bool at_callback; /* the last one is a callback's */
	char line[BACKTRACE_LINE_MAX + 8];
	size_t length;
} backtrace = { .fd = STDERR_FILENO, .busy = ATOMIC_FLAG_INIT };

/* ---- the line ---- */

static void add_bytes(const char *bytes, size_t n)
{
	size_t room = BACKTRACE_LINE_MAX - backtrace.length;

	n = n < room ? n : room;
	memcpy(backtrace.line + backtrace.length, bytes, n);
	backtrace.length += n;
}

static void add_string(const char *string)
{
	add_bytes(string, strlen(string));
}

static void add_number(uint64_t number, unsigned base)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = "0123456789abcdef"[number % base];
	while ((number /= base));
	add_string(base == 16 ? "0x" : "");
	add_bytes(digits + at, sizeof(digits) - at);
}

static size_t frame_length(const struct symbol_frame *frame)
{
	return strlen(BACKTRACE_BETWEEN) + strlen(frame->function) + strlen(frame->file) +
	       sizeof(" (+0x0123456789abcdef)");
}

static void add_frame(const struct symbol_frame *frame)
{
	add_string(frame->function);
	if (!frame->file[0]) {
		add_number(frame->offset, 16);
		return;
	}
	add_string(frame->function[0] ? " (" : "");
	add_string(frame->file);
	add_string("+");
	add_number(frame->offset, 16);
	add_string(frame->function[0] ? ")" : "");
}

static void add_frames(void)
{
	for (size_t i = 0; i < backtrace.n_frames; i++) {
		bool cut = backtrace.length + frame_length(&backtrace.frames[i]) > BACKTRACE_LINE_MAX - 10;

		add_string(i ? BACKTRACE_BETWEEN : "");
		if (cut || (i == FRAMES_KEPT - 1 && backtrace.n_walked > FRAMES_KEPT))
			add_string(cut ? "..." : "... < ");
		if (cut)
			return;
		add_frame(&backtrace.frames[i]);
	}
}

/* " (thread 4713, address 0x10)": if it is not the main one; if it is a fault of memory. */
static void add_circumstances(int signal_number, const siginfo_t *info)
{
	bool aside = syscall(SYS_gettid) != getpid(),
	     memory = (signal_number == SIGSEGV || signal_number == SIGBUS) && info->si_code > 0;

	if (!aside && !memory)
		return;
	add_string(" (");
	if (aside) {
		add_string("thread ");
		add_number((uint64_t)syscall(SYS_gettid), 10);
	}
	if (memory) {
		add_string(aside ? ", address " : "address ");
		add_number((uintptr_t)info->si_addr, 16);
	}
	add_string(")");
}

static void write_line(int signal_number, const siginfo_t *info)
{
	static const char begin[] = { '\n', '<', '5', '>', BACKTRACE_MARK };
	ssize_t written;

	backtrace.length = 0;
	add_bytes(begin, sizeof(begin));
	if (signal_number != SIGQUIT)
		backtrace.line[2] = '7'; /* the obituary comes at once and has it */
	add_string(BACKTRACE_BEGIN);
	add_circumstances(signal_number, info);
	add_string(BACKTRACE_COLON);
	add_frames();
	backtrace.line[backtrace.length++] = '\n';
	do
		written = write(backtrace.fd, backtrace.line, backtrace.length);
	while (written < 0 && errno == EINTR);
}

/* ---- the frames ---- */

static bool is_callback(uintptr_t function)
{
	for (size_t i = 0; i < CALLBACKS; i++)
		if (function && backtrace.callbacks[i] == function)
			return true;
	return false;
}

static void keep(uintptr_t address, bool behind_call)
{
	size_t i = backtrace.n_frames < FRAMES_KEPT ? backtrace.n_frames++ : FRAMES_KEPT - 1;

	backtrace.frames[i] = (struct symbol_frame){ .address = address, .behind_call = behind_call };
	backtrace.n_walked++;
}

static _Unwind_Reason_Code take_frame(struct _Unwind_Context *context, void *data)
{
	int before = 0;
	uintptr_t pc = (uintptr_t)_Unwind_GetIPInfo(context, &before),
		  function = (uintptr_t)_Unwind_GetRegionStart(context);

	(void)data;
	backtrace.interrupted = backtrace.interrupted || before;
	if (!backtrace.interrupted)
		return _URC_NO_REASON;
	if (function && function == backtrace.main)
		return _URC_END_OF_STACK;
	keep(pc, !before);
	if (pc >= backtrace.plugin && pc < backtrace.plugin_end)
		backtrace.n_down_to_plugin = backtrace.n_walked;
	backtrace.at_callback = is_callback(function);
	return backtrace.at_callback || backtrace.n_walked >= FRAMES_WALKED ? _URC_END_OF_STACK : _URC_NO_REASON;
}

/* A callback that was left by a jump, or is in two parts, is not known again: then what is below the plugin's last frame goes. */
static void cut_runtime(void)
{
	if (!backtrace.at_callback && backtrace.n_down_to_plugin && backtrace.n_walked <= FRAMES_KEPT)
		backtrace.n_frames = backtrace.n_walked = backtrace.n_down_to_plugin;
}

static bool is_readable(uintptr_t address, void *bytes, size_t n)
{
	struct iovec here = { bytes, n }, there = { (void *)address, n };

	return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == (ssize_t)n;
}

static uintptr_t pc_of(const ucontext_t *context)
{
#if defined(__x86_64__)
	return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	return (uintptr_t)context->uc_mcontext.pc;
#else
	(void)context;
	return 1;
#endif
}

/* At a function's first instruction. 0: not known. */
static uintptr_t caller_of(const ucontext_t *context)
{
	uintptr_t caller = 0;

#if defined(__x86_64__)
	if (!is_readable((uintptr_t)context->uc_mcontext.gregs[REG_RSP], &caller, sizeof(caller)))
		caller = 0;
#elif defined(__aarch64__)
	caller = (uintptr_t)context->uc_mcontext.regs[30];
#else
	(void)context;
#endif
	return caller;
}

static void walk(const ucontext_t *context)
{
	unsigned char instruction;
	uintptr_t caller;

	backtrace.n_frames = backtrace.n_walked = backtrace.n_down_to_plugin = 0;
	backtrace.interrupted = backtrace.at_callback = false;
	if (is_readable(pc_of(context), &instruction, 1)) {
		_Unwind_Backtrace(take_frame, NULL);
		cut_runtime();
		return;
	}
	keep(pc_of(context), false);
	caller = caller_of(context);
	if (caller)
		keep(caller, true);
}

/* ---- the signals ---- */

static void tell(int signal_number, const siginfo_t *info, const ucontext_t *context)
{
	int error = errno;

	if (!atomic_flag_test_and_set(&backtrace.busy)) { /* else another thread is at it */
		walk(context);
		symbols_find(backtrace.frames, backtrace.n_frames);
		write_line(signal_number, info);
		atomic_flag_clear(&backtrace.busy);
	}
	errno = error;
}

static void handle_quit(int signal_number, siginfo_t *info, void *context)
{
	tell(signal_number, info, context);
}

/* The default action is back (SA_RESETHAND): whatever it was happens again, unless it was sent. */
static void handle_fault(int signal_number, siginfo_t *info, void *context)
{
	tell(signal_number, info, context);
	if (info->si_code <= 0)
		syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), signal_number);
}

static void set_handlers(void)
{
	struct sigaction quit = { .sa_sigaction = handle_quit, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART },
			 fault = { .sa_sigaction = handle_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigemptyset(&quit.sa_mask);
	sigaddset(&quit.sa_mask, SIGTERM);
	sigaction(SIGQUIT, &quit, NULL);
	fault.sa_flags |= (int)SA_RESETHAND; /* the constant is an unsigned one */
	sigemptyset(&fault.sa_mask);
	sigaddset(&fault.sa_mask, SIGTERM);
	sigaddset(&fault.sa_mask, SIGQUIT);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]) && FAULTS_ARE_OURS; i++)
		sigaction(faults[i], &fault, NULL);
}

void __attribute__((noinline)) backtrace_begin(void)
{
	const stack_t stack = { .ss_sp = backtrace.stack, .ss_size = sizeof(backtrace.stack) };
	ucontext_t here;
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_KEPT_FROM);

	if (fd < 0)
		fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	backtrace.fd = fd < 0 ? STDERR_FILENO : fd;
	backtrace.main = (uintptr_t)_Unwind_FindEnclosingFunction(__builtin_return_address(0));
	if (getcontext(&here) == 0)
		walk(&here); /* sets the unwinder up */
	if (sigaltstack(&stack, NULL) == 0 || !FAULTS_ARE_OURS)
		set_handlers();
}

void backtrace_know_stage(const struct weir_stage *stage)
{
	const uintptr_t callbacks[CALLBACKS] = { (uintptr_t)stage->open,    (uintptr_t)stage->process,
						 (uintptr_t)stage->produce, (uintptr_t)stage->end_run,
						 (uintptr_t)stage->finish,  (uintptr_t)stage->close,
						 (uintptr_t)stage->run,     (uintptr_t)stage->flush };
	struct dl_find_object object;

	memcpy(backtrace.callbacks, callbacks, sizeof(callbacks));
	if (_dl_find_object((void *)callbacks[0], &object) != 0)
		return;
	backtrace.plugin = (uintptr_t)object.dlfo_map_start;
	backtrace.plugin_end = (uintptr_t)object.dlfo_map_end;
}
