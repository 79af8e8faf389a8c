# SPDX-License-Identifier: Apache-2.0
# Standard error of `weir run` is a terminal whose output stands still, as after ^S, and stays so when the pipeline has ended: all orders are served, a drain does not
# wait for who reads the last words, the name is free, and the process goes as soon as the terminal does.
# seconds: 120
command -v cc >/dev/null || skip "no C compiler"
cat >terminal.c <<'C'
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int terminal_fd;

static void take_away(int number)
{
	(void)number;
	close(terminal_fd);
}

/* terminal PROGRAM ...: its standard error is a terminal that nobody reads; SIGTERM takes that away. */
int main(int argc, char **argv)
{
	int other_fd, status;
	pid_t pid;

	(void)argc;
	terminal_fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal_fd < 0 || grantpt(terminal_fd) || unlockpt(terminal_fd))
		return 99;
	other_fd = open(ptsname(terminal_fd), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (other_fd < 0)
		return 99;
	signal(SIGTERM, take_away);
	pid = fork();
	if (pid == 0) {
		signal(SIGTERM, SIG_DFL);
		dup2(other_fd, STDERR_FILENO);
		execvp(argv[1], argv + 1);
		_exit(99);
	}
	close(other_fd);
	while (waitpid(pid, &status, 0) != pid)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}
C
cc -D_GNU_SOURCE -o terminal terminal.c || fail "can not compile"
./terminal true
[ $? != 99 ] || skip "no terminals here: is /dev/pts mounted?"
cat >spec.yaml <<'YAML'
pipeline: still
stages:
  - {name: tick, source: generate, rate: 200/s, text: '{n}'}
  - {name: talk, exec: [sh, -c, 'while read -r l; do echo "$l"; printf "%0500d\n" "$l" >&2; done'], mode: line}
  - {name: write, sink: file, path: out}
YAML
more_than() {
	[ "$(wc -l <out 2>/dev/null || echo 0)" -gt "$1" ]
}
for progress in never always; do # lines, and a block that is drawn again and again
	TERM=xterm ./terminal weir run --progress $progress spec.yaml &
	terminal=$!
	wait_until 30 running still
	pid=$(grep -o '"pid":[0-9]*' ps.json | head -n 1 | sed 's/.*://')
	wait_until 60 more_than 300
	kill -KILL "$(worker_pids still | tail -n 1)"
	seen=$(wc -l <out)
	wait_until 60 more_than $((seen + 50))
	assert_exit 0 weir drain still
	kill -0 "$pid" || fail "it has not waited for its reader at all"
	assert_exit 3 weir drain still # the name is free
	kill -TERM $terminal
	wait $terminal
	assert_eq $? 0 "exit code with --progress $progress"
	rm out
done
