/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The value at the end of a path becomes one of libjq's, so that it is spelled as the same value out of JSON text is, down to the last
 * digit: a key has the same number, and the same lane, whether its item was decoded or not. A plain string, which most keys are, needs
 * none of that (key.c).
 */
#include "worker/key_structured.h"

#include "worker/jq_value.h"

jv structured_value(struct value_reader *at)
{
	jv value;

	return jq_value_read(at, false, &value, NULL) == 0 ? value : jv_invalid();
}
