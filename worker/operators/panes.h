/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of bytes in keyed state that change with nearly each item: worked on in own memory, and put into the state once a turn, in
 * flush(). Worker process, one thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <weir/stage.h>
#include <weir/state.h>

/* A key of the state. */
struct place {
	size_t size_bytes;
	unsigned char bytes[WEIR_STATE_KEY_SIZE_MAX];
};

struct pane {
	unsigned char *data; /* 8-byte aligned, the holder's to change, if panes_touch() follows */
	size_t size_bytes;
};

struct panes;

/* Returns NULL without memory. */
struct panes *panes_new(void);
void panes_free(struct panes *panes); /* fine on NULL */

/* What is there: good until the pane is put or deleted, or the turn ends. Returns WEIR_OK; -ENOENT; -ENOMEM; WEIR_FAILED, return it. */
int panes_get(struct panes *panes, struct weir_context *context, const struct place *place, struct pane **ret_pane);

/*
 * The place has these bytes from now on, which are copied: for a new one, and one that changes its size. What is there already may be
 * given as `data`. Returns WEIR_OK; what weir_state_put() says, and nothing has changed; -ENOMEM.
 */
int panes_put(struct panes *panes, struct weir_context *context, const struct place *place, const void *data,
	      size_t size_bytes, struct pane **ret_pane);

/* It has been changed. */
void panes_touch(struct panes *panes, struct pane *pane);

/* Returns WEIR_OK; -ENOENT; what weir_state_delete() says else. */
int panes_delete(struct panes *panes, struct weir_context *context, const struct place *place);

/* In flush(): what was touched goes into the state. Returns WEIR_OK; WEIR_FAILED, a negative errno. */
int panes_flush(struct panes *panes, struct weir_context *context);
