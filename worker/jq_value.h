/* SPDX-License-Identifier: Apache-2.0 */
/* Values as libjq has them, from structured items and back. Worker process; private memory only. */
#pragma once

#include <jv.h>
#include <msgpack/sbuffer.h>
#include <stdbool.h>

#include "common/record/value.h"

/*
 * The value there, which the reader then stands behind; the caller's to free. libjq's numbers are doubles: `exact` refuses an integer that
 * none of them is, else it becomes the nearest. Returns 0; RECORD_E_BAD and why (fault may be NULL): it is no msgpack, or holds what jq
 * has not: bytes, an extension type, a name that is no string, a string that is no UTF-8; or it is too deep.
 */
int jq_value_read(struct value_reader *reader, bool exact, jv *ret_value, struct record_fault *fault);

/*
 * Appends the value as msgpack; consumes it. A whole number of up to 2^53 is an integer, any other a double. Returns 0; RECORD_E_BAD and
 * why: a number that is not finite, or it is too deep; -ENOMEM; and then the buffer ends anywhere.
 */
int jq_value_write(jv value, msgpack_sbuffer *buffer, struct record_fault *fault);
