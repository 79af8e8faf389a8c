/* SPDX-License-Identifier: Apache-2.0 */
/* `listen: HOST:PORT`, as a spec says it. */
#pragma once

#include <stddef.h>

#define LISTEN_HOST_SIZE 256u
#define LISTEN_PORT_SIZE 6u

struct listen_address {
	char host[LISTEN_HOST_SIZE]; /* a name or a number; "": every address of this host, which is written * */
	char port[LISTEN_PORT_SIZE]; /* 0 to 65535, in digits; 0: any that is free */
};

/* Takes it apart: 127.0.0.1:7000, [::1]:7000, localhost:7000, *:7000. Returns NULL, or what is wrong with it; static. */
const char *listen_address_parse(const char *text, struct listen_address *ret);
