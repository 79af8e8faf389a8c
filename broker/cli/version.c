/* SPDX-License-Identifier: Apache-2.0 */
#include <libfyaml.h>
#include <msgpack/sysdep.h> /* must come first: version.h needs it and does not include it */
#include <msgpack/version.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <weir/version.h>
#include <zmq.h>

#include "broker/cli/command.h"
#include "broker/cli/verbs.h"
#include "broker/supervise/supervisor.h"
#include "common/base/cleanup.h"
#include "common/base/must.h"

/* What the running kernel gives; without the first two no pipeline can run. */
struct kernel {
	struct utsname name;
	bool memfd, pidfd;
};

static void probe_kernel(struct kernel *ret_kernel)
{
	_cleanup_(close) int memfd = memfd_create("weir-probe", MFD_CLOEXEC);
	_cleanup_(close) int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	must(uname(&ret_kernel->name) == 0);
	ret_kernel->memfd = memfd >= 0;
	ret_kernel->pidfd = pidfd >= 0;
}

static void print_json(const char *zmq, const struct kernel *kernel)
{
	printf("{\"version\":\"%s\",\"build\":\"%s\",\"libraries\":{\"libzmq\":\"%s\",\"libfyaml\":\"%s\",\"libsystemd\":\"%s\",\"msgpack\":\"%s\"},"
	       "\"kernel\":{\"release\":\"%s\",\"memfd\":%s,\"pidfd\":%s}}\n",
	       WEIR_VERSION, WEIR_BUILD_TYPE, zmq, fy_library_version(), WEIR_SYSTEMD_VERSION, msgpack_version(),
	       kernel->name.release, kernel->memfd ? "true" : "false", kernel->pidfd ? "true" : "false");
}

static void print_text(const char *zmq, const struct kernel *kernel)
{
	printf("weir %s (%s build)\n", WEIR_VERSION, WEIR_BUILD_TYPE);
	printf("libzmq %s, libfyaml %s, libsystemd %s, msgpack %s\n", zmq, fy_library_version(), WEIR_SYSTEMD_VERSION,
	       msgpack_version());
	printf("%s %s: memfd %s, pidfd %s\n", kernel->name.sysname, kernel->name.release,
	       kernel->memfd ? "yes" : "missing", kernel->pidfd ? "yes" : "missing");
}

int version_command(int argc, char **argv)
{
	struct command_parser parser = COMMAND_PARSER(argc, argv);
	struct kernel kernel;
	int major, minor, patch, id;
	bool json = false;
	char zmq[32];

	while ((id = command_next(&parser)) > 0) {
		must(id == OPTION_JSON);
		json = true;
	}
	if (id < 0)
		return command_exit(id);
	zmq_version(&major, &minor, &patch);
	snprintf(zmq, sizeof(zmq), "%d.%d.%d", major, minor, patch);
	probe_kernel(&kernel);
	if (json)
		print_json(zmq, &kernel);
	else
		print_text(zmq, &kernel);
	return EXIT_DONE;
}
