/* SPDX-License-Identifier: Apache-2.0 */
/* No control plane, no children, no dead letters: what the crash walks and the explorer have of a worker does without. */
#include "worker/burial.h"
#include "worker/children.h"
#include "worker/client.h"

void children_kill_all(void)
{
}

bool client_unread(const struct client *client)
{
	(void)client;
	return false;
}

int client_receive(struct client *client, struct message *ret_message)
{
	(void)client;
	(void)ret_message;
	return WIRE_E_NOTHING;
}

int client_send_status(struct client *client, const char *state, const char *detail)
{
	(void)client;
	(void)state;
	(void)detail;
	return 0;
}

int client_send_ack(struct client *client, uint32_t order, uint64_t seen_ns)
{
	(void)client;
	(void)order;
	(void)seen_ns;
	return 0;
}

int client_send_scopes(struct client *client, uint32_t epoch)
{
	(void)client;
	(void)epoch;
	return 0;
}

int client_send_scope_cancel(struct client *client, uint64_t scope, uint32_t cause)
{
	(void)client;
	(void)scope;
	(void)cause;
	return 0;
}

int client_fd(const struct client *client)
{
	(void)client;
	return -1;
}

void client_rang(struct client *client)
{
	(void)client;
}

int burial_keep(struct worker *worker, struct dead_letter *letter)
{
	(void)worker;
	(void)letter;
	return 0;
}

int burial_of_item(struct worker *worker, const struct weir_item *item, enum dead_letter_cause cause,
		   const char *reason)
{
	(void)worker;
	(void)item;
	(void)cause;
	(void)reason;
	return 0;
}

int burial_by_stage(struct worker *worker, const struct weir_item *item, int status)
{
	(void)worker;
	(void)item;
	(void)status;
	return 0;
}

int burial_settle(struct worker *worker)
{
	(void)worker;
	return 0;
}

void burial_must_settle(struct worker *worker)
{
	(void)worker;
}

void burial_detach(struct worker *worker)
{
	(void)worker;
}

const char *burial_place(const struct worker *worker)
{
	(void)worker;
	return "";
}
