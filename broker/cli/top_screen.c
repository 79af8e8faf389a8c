/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals are blocked but for two moments: while it is waited, and while it is written, for a terminal that stands still (^S) takes
 * nothing, and whoever wants to end us then must be heard. Handlers only make a note.
 *
 *      open ---> wait <--> draw        ^Z: give the window back, stop; SIGCONT: take it again, draw
 *                 |
 *                 '--- end ---> close: the terminal is as it was
 */
#include "broker/cli/top_screen.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/must.h"

#define ENTER "\033[?1049h\033[?25l\033[2J"
#define LEAVE "\033[?25h\033[?1049l"
#define HOME "\033[H"
#define ERASE_LINE "\033[K"
#define ERASE_BELOW "\033[J"

static volatile sig_atomic_t has_to_end, has_to_stop, has_to_draw;

static void note(int number)
{
	if (number == SIGTSTP)
		has_to_stop = 1;
	else if (number == SIGWINCH || number == SIGCONT)
		has_to_draw = 1;
	else
		has_to_end = 1;
}

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH };

bool top_screen_possible(void)
{
	struct terminal terminal;

	terminal_detect(STDOUT_FILENO, &terminal);
	return terminal.cursor && isatty(STDIN_FILENO);
}

/* Returns 0 or -errno: EINTR only if a signal wants something other than another page. */
static int write_all(const struct top_screen *screen, const char *bytes, size_t n)
{
	sigset_t inside;
	int r = 0;

	must(sigprocmask(SIG_SETMASK, &screen->outside, &inside) == 0);
	while (n && r == 0) {
		ssize_t written = write(STDOUT_FILENO, bytes, n);

		if (written >= 0) {
			bytes += written;
			n -= (size_t)written;
		} else if (errno != EINTR || has_to_end || has_to_stop) {
			r = -errno;
		}
	}
	must(sigprocmask(SIG_SETMASK, &inside, NULL) == 0);
	return r;
}

/* Keys one by one and not shown; what a ^C and a ^Z mean stays. */
static int take_keys(struct top_screen *screen)
{
	struct termios raw = screen->before;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	return tcsetattr(STDIN_FILENO, TCSANOW, &raw) ? -errno : 0;
}

static int enter(struct top_screen *screen)
{
	int r = take_keys(screen);

	if (r < 0)
		return r;
	screen->entered = true;
	terminal_resize(&screen->terminal);
	return write_all(screen, ENTER, strlen(ENTER));
}

static void leave(struct top_screen *screen)
{
	if (!screen->entered)
		return;
	screen->entered = false;
	if (has_to_end)
		(void)tcflow(STDOUT_FILENO, TCOON); /* nobody will press ^Q any more */
	(void)write_all(screen, LEAVE, strlen(LEAVE));
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &screen->before);
}

int top_screen_open(struct top_screen *screen)
{
	struct sigaction action = { .sa_handler = note }; /* no SA_RESTART: a write that waits has to end */
	sigset_t ours;
	int r;

	*screen = (struct top_screen){ 0 };
	terminal_detect(STDOUT_FILENO, &screen->terminal);
	if (tcgetattr(STDIN_FILENO, &screen->before))
		return -errno;
	sigemptyset(&ours);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&ours, signals[i]);
	must(sigprocmask(SIG_BLOCK, &ours, &screen->outside) == 0);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		sigdelset(&screen->outside, signals[i]);
		must(sigaction(signals[i], &action, NULL) == 0);
	}
	has_to_end = has_to_stop = has_to_draw = 0;
	r = enter(screen);
	if (r < 0)
		leave(screen);
	return r;
}

void top_screen_close(struct top_screen *screen)
{
	has_to_stop = 0;
	leave(screen);
}

int top_screen_draw(struct top_screen *screen, const struct text *page)
{
	_cleanup_(text_deinit) struct text out = TEXT_NULL;
	const char *line = text_get(page);

	text_add(&out, HOME);
	/* No newline behind the last line, or the window would scroll. */
	for (const char *end; (end = strchr(line, '\n')); line = end + 1) {
		text_add_bytes(&out, line, (size_t)(end - line));
		text_add(&out, ERASE_LINE);
		if (end[1])
			text_add(&out, "\r\n");
	}
	text_add(&out, ERASE_BELOW);
	return write_all(screen, out.data, out.length);
}

/* ^Z: the shell gets its terminal as it was; when it wants us to go on we take it again. */
static void stand_still(struct top_screen *screen)
{
	has_to_stop = 0;
	leave(screen);
	raise(SIGSTOP);
	if (enter(screen) < 0)
		has_to_end = 1;
	has_to_draw = 0;
}

enum top_news top_screen_wait(struct top_screen *screen, uint64_t until_ns, char *bytes, size_t size, size_t *ret_n)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	uint64_t now_ns = clock_now_ns(), left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
	const struct timespec left = { .tv_sec = (time_t)(left_ns / NS_PER_S), .tv_nsec = (long)(left_ns % NS_PER_S) };
	int r = has_to_end || has_to_stop || has_to_draw ? 0 : ppoll(&input, 1, &left, &screen->outside);
	ssize_t n;

	*ret_n = 0;
	if (has_to_end)
		return TOP_END;
	if (has_to_stop) {
		stand_still(screen);
		return has_to_end ? TOP_END : TOP_REDRAW;
	}
	if (has_to_draw) {
		has_to_draw = 0;
		/* After a SIGSTOP that nobody announced, a shell may have changed the terminal. */
		(void)take_keys(screen);
		terminal_resize(&screen->terminal);
		return TOP_REDRAW;
	}
	if (r <= 0)
		return TOP_NOTHING;
	n = read(STDIN_FILENO, bytes, size);
	if (n > 0)
		*ret_n = (size_t)n;
	return n > 0 ? TOP_KEYS : n < 0 && errno == EINTR ? TOP_NOTHING : TOP_END;
}
