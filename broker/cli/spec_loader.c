/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      loop's thread                          loader's thread
 *      spec_loader_start() -- wanted ------>  spec_load(): reads, asks children, plans      its children are no orphans, though they
 *      on_done() <---------- eventfd -------  the end                                       are children of the supervisor's process
 *
 * The thread shares nothing with the loop but this struct, which is its own until the eventfd rings.
 */
#include "broker/cli/spec_loader.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "broker/spec/lock.h"
#include "broker/supervise/orphans.h"
#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/must.h"

struct spec_loader {
	pthread_t thread;
	int done_fd;
	sd_event_source *source;
	struct spec_wanted wanted;
	struct spec_loaded loaded;
	spec_loaded_fn *done;
	void *data;
};

static void *loader_main(void *data)
{
	struct spec_loader *loader = data;
	struct spec_loaded *loaded = &loader->loaded;

	orphans_spare(gettid());
	loaded->r = spec_load(loader->wanted.path, loader->wanted.overrides, loader->wanted.n_overrides, &loaded->plan,
			      &loaded->diagnostics);
	if (loaded->r == 0 && loader->wanted.locked)
		loaded->r = lock_check(loaded->plan, &loaded->diagnostics);
	if (loaded->r != 0) {
		plan_free(loaded->plan);
		loaded->plan = NULL;
	}
	orphans_spare(0);
	(void)eventfd_write(loader->done_fd, 1);
	return NULL;
}

static void dispose(struct spec_loader *loader)
{
	sd_event_source_disable_unref(loader->source);
	fd_close(loader->done_fd);
	plan_free(loader->loaded.plan);
	diagnostics_deinit(&loader->loaded.diagnostics);
	free(loader);
}

static int on_done(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct spec_loader *loader = data;
	struct spec_loaded loaded;

	(void)source, (void)fd, (void)events;
	must(pthread_join(loader->thread, NULL) == 0);
	loaded = loader->loaded;
	loader->loaded = (struct spec_loaded){ .diagnostics = DIAGNOSTICS_NULL };
	loader->done(loader->data, &loaded);
	dispose(loader);
	return 0;
}

/* Signals are the loop's: it has a signalfd for them. */
static int begin_thread(struct spec_loader *loader)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&loader->thread, NULL, loader_main, loader);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		return error_origin(-error);
	pthread_setname_np(loader->thread, "weir-spec");
	return 0;
}

int spec_loader_start(sd_event *event, const struct spec_wanted *wanted, spec_loaded_fn *done, void *data,
		      struct spec_loader **ret_loader)
{
	struct spec_loader *loader = calloc(1, sizeof(*loader));
	int r;

	if (!loader)
		return error_origin(-ENOMEM);
	*loader = (struct spec_loader){ .wanted = *wanted,
					.loaded = { .diagnostics = DIAGNOSTICS_NULL },
					.done = done,
					.data = data,
					.done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
	r = loader->done_fd < 0 ? error_origin(-errno) :
				  sd_event_add_io(event, &loader->source, loader->done_fd, EPOLLIN, on_done, loader);
	if (r >= 0)
		r = begin_thread(loader);
	if (r < 0) {
		dispose(loader);
		return error_trace(r);
	}
	*ret_loader = loader;
	return 0;
}

struct spec_loader *spec_loader_free(struct spec_loader *loader)
{
	if (!loader)
		return NULL;
	spec_load_give_up();
	must(pthread_join(loader->thread, NULL) == 0);
	dispose(loader);
	return NULL;
}
