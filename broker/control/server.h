/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket of a running pipeline: one ROUTER on ipc:// for workers and clients. Hostile input is refused and
 * counted, never fatal.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct supervisor;
struct message;
struct control_server;

/* Binds in run_dir ("<run_dir>/control"). Supervisor thread. Returns 0 or -errno. run_dir must be ours, mode 0700. */
int control_server_new(sd_event *event, const char *run_dir, uint32_t n_slots, struct control_server **ret_server);
struct control_server *control_server_free(struct control_server *server);
/* Whose messages these are; set before the first worker is spawned. Borrowed. */
void control_server_serve(struct control_server *server, struct supervisor *supervisor);
const char *control_server_endpoint(const struct control_server *server);
/* To the worker that said hello for slot. Returns false if nobody did, or its queue is full. Never blocks. */
bool control_server_send(struct control_server *server, uint32_t slot, const struct message *message);
/* Where one line goes when messages are refused: the first time, then every 10 s at most. Without it they are only counted. */
void control_server_log_to(struct control_server *server, void (*log)(void *data, const char *line), void *data);
/* Messages refused so far. */
uint64_t control_server_refused(const struct control_server *server);
