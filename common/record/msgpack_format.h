/* SPDX-License-Identifier: Apache-2.0 */
/* MessagePack: items come and go as they are, so decoding is a check. Pure. */
#pragma once

#include "common/record/record.h"

/*
 * One whole msgpack value and nothing behind it: at most RECORD_DEPTH_MAX deep, its strings UTF-8. Returns 0; RECORD_E_BAD and why.
 */
int msgpack_format_check(const void *data, size_t size_bytes, struct record_fault *fault);
