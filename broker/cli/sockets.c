/* SPDX-License-Identifier: Apache-2.0 */
/*
 *      socket unit, FileDescriptorName=net  -->  LISTEN_FDS, LISTEN_FDNAMES  -->  {name: net, source: tcp, listen: ...}
 *
 *      by its name     there is a stage called so: it is for that one, whatever address it has
 *      by its address  a source listens there, by what the spec says
 *      both, and not the same one; neither; a second one for a stage; no listening stream socket: nothing is started
 *
 * Without FileDescriptorName= the name is the unit's, which is that of no stage, as a rule: then the address counts. A socket that nobody
 * would accept from is an error: who connects there would wait for ever.
 */
#include "broker/cli/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#include "broker/keep/keep.h"
#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/stage/listen_address.h"

#define NO_STAGE UINT32_MAX

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
};

/* ---- what there is ---- */

int sockets_take(struct sockets *sockets)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(0, &names);

	*sockets = (struct sockets)SOCKETS_NULL;
	if (n <= 0)
		return n < 0 ? error_origin(n) : 0;
	sockets->fds = calloc((size_t)n, sizeof(*sockets->fds));
	sockets->names = names;
	for (int i = 0; i < n; i++) {
		if (sockets->fds && strcmp(names[i], KEEP_STORE_NAME) != 0) {
			sockets->fds[sockets->n] = SD_LISTEN_FDS_START + i;
			names[sockets->n++] = names[i];
		} else {
			free(names[i]);
		}
	}
	return sockets->fds ? 0 : error_origin(-ENOMEM);
}

void sockets_deinit(struct sockets *sockets)
{
	for (size_t i = 0; i < sockets->n; i++)
		free(sockets->names[i]);
	free(sockets->names);
	free(sockets->fds);
	free(sockets->of_stage);
	*sockets = (struct sockets)SOCKETS_NULL;
}

/* ---- addresses ---- */

static void say_address(const union address *address, struct text *text)
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (address->any.sa_family == AF_UNIX) {
		text_add(text, address->local.sun_path[0] ? address->local.sun_path : "an abstract name");
	} else if (address->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof(host));
		text_printf(text, "%s:%u", host, ntohs(address->v4.sin_port));
	} else if (address->any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof(host));
		text_printf(text, "[%s]:%u", host, ntohs(address->v6.sin6_port));
	} else {
		text_add(text, "an address of another kind");
	}
}

/* A name such as localhost stands for several addresses, and needs a look-up that may last: then the socket's name has to say it. */
static bool is_there(const union address *address, const struct listen_address *wanted)
{
	bool any = !*wanted->host;
	struct in6_addr v6;
	struct in_addr v4;
	in_port_t port = htons((uint16_t)strtoul(wanted->port, NULL, 10));

	if (address->any.sa_family == AF_INET)
		return address->v4.sin_port == port &&
		       (any ? address->v4.sin_addr.s_addr == htonl(INADDR_ANY) :
			      inet_pton(AF_INET, wanted->host, &v4) == 1 && v4.s_addr == address->v4.sin_addr.s_addr);
	return address->any.sa_family == AF_INET6 && address->v6.sin6_port == port &&
	       (any ? IN6_IS_ADDR_UNSPECIFIED(&address->v6.sin6_addr) :
		      inet_pton(AF_INET6, wanted->host, &v6) == 1 &&
				memcmp(&v6, &address->v6.sin6_addr, sizeof(v6)) == 0);
}

/* ---- sources ---- */

static bool is_kind(const struct plan_stage *stage, const char *kind)
{
	return stage->role == WEIR_SOURCE && !stage->plugin && strcmp(stage->kind, kind) == 0;
}

static bool listens_at_port(const struct plan_stage *stage)
{
	return is_kind(stage, "tcp") || is_kind(stage, "http");
}

/* Whether it can accept from a socket of that family. A source of somebody's own says itself what it can. */
static bool can_accept(const struct plan_stage *stage, sa_family_t family)
{
	if (stage->role == WEIR_SOURCE && stage->plugin)
		return true;
	return family == AF_UNIX ? is_kind(stage, "unix") : listens_at_port(stage);
}

const char *sockets_address(const struct plan_stage *stage)
{
	const char *wanted = is_kind(stage, "unix") ? "path" : listens_at_port(stage) ? "listen" : NULL;

	for (uint32_t i = 0; wanted && i < stage->n_options; i++)
		if (strcmp(stage->options[i].name, wanted) == 0)
			return stage->options[i].string;
	return NULL;
}

static bool listens_there(const struct plan_stage *stage, const union address *address)
{
	const char *where = sockets_address(stage);
	struct listen_address wanted;

	if (!where || !can_accept(stage, address->any.sa_family))
		return false;
	if (address->any.sa_family == AF_UNIX)
		return strncmp(where, address->local.sun_path, sizeof(address->local.sun_path)) == 0;
	return !listen_address_parse(where, &wanted) && is_there(address, &wanted);
}

static uint32_t find_by_address(const struct plan *plan, const union address *address)
{
	for (uint32_t i = 0; i < plan->n_stages; i++)
		if (listens_there(&plan->stages[i], address))
			return i;
	return NO_STAGE;
}

static uint32_t find_by_name(const struct plan *plan, const char *name)
{
	uint32_t number;

	return plan_find_stage(plan, name, &number) ? number : NO_STAGE;
}

/* ---- one of them ---- */

static int refuse(struct text *why, const char *name, const union address *address, const char *cause)
{
	text_printf(why, "weir was started with a socket called '%s', at ", name);
	say_address(address, why);
	text_printf(why, ": %s", cause);
	return SOCKETS_E_WRONG;
}

static int look(int fd, const char *name, union address *ret_address, struct text *why)
{
	socklen_t size = sizeof(*ret_address);

	memset(ret_address, 0, sizeof(*ret_address));
	if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) > 0 && getsockname(fd, &ret_address->any, &size) == 0)
		return 0;
	text_printf(
		why,
		"weir was started with a descriptor called '%s' that is no listening stream socket; in its socket unit only "
		"ListenStream= will do, with Accept=no",
		name);
	return SOCKETS_E_WRONG;
}

static int find(const struct plan *plan, const char *name, const union address *address, uint32_t *ret_stage,
		struct text *why)
{
	uint32_t named = find_by_name(plan, name), there = find_by_address(plan, address);
	_cleanup_(text_deinit) struct text cause = TEXT_NULL;

	*ret_stage = named != NO_STAGE ? named : there;
	if (*ret_stage == NO_STAGE)
		text_add(
			&cause,
			"no source listens there, and no stage is called so. Write `listen` or `path` as the socket unit has it, or "
			"say FileDescriptorName= with the name of the stage in it");
	else if (named != NO_STAGE && there != NO_STAGE && named != there)
		text_printf(&cause, "but that is where stage '%s' listens. Give the socket that one's name, or none",
			    plan->stages[there].name);
	else if (!can_accept(&plan->stages[*ret_stage], address->any.sa_family))
		text_printf(
			&cause,
			"stage '%s' can't accept connections from it: source: tcp and http listen at a port, unix at a path",
			plan->stages[*ret_stage].name);
	return cause.length ? refuse(why, name, address, text_get(&cause)) : 0;
}

static int assign(struct sockets *sockets, size_t i, const struct plan *plan, struct text *why)
{
	union address address;
	uint32_t stage;
	int r = look(sockets->fds[i], sockets->names[i], &address, why);

	if (r == 0)
		r = find(plan, sockets->names[i], &address, &stage, why);
	if (r != 0)
		return r;
	if (sockets->of_stage[stage] >= 0)
		return refuse(
			why, sockets->names[i], &address,
			"its stage has another one already. A source has one socket: take one away, or give it a stage of its own");
	sockets->of_stage[stage] = sockets->fds[i];
	return 0;
}

int sockets_assign(struct sockets *sockets, const struct plan *plan, struct text *why)
{
	int r = 0;

	if (!sockets->n)
		return 0;
	sockets->of_stage = calloc(plan->n_stages, sizeof(*sockets->of_stage));
	if (!sockets->of_stage)
		return error_origin(-ENOMEM);
	for (uint32_t i = 0; i < plan->n_stages; i++)
		sockets->of_stage[i] = -1;
	for (size_t i = 0; i < sockets->n && r == 0; i++)
		r = assign(sockets, i, plan, why);
	return r;
}
