/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The error contract: < 0 is a fatal errno that is passed on unchanged, 0 is done, > 0 is an outcome of the
 * function called, and its caller must handle it. error_origin() marks where a fatal error is born,
 * error_trace() where it passes; with WEIR_TRACE_ERRORS in the environment both print file, line and function.
 */
#pragma once

#include <errno.h>

int error_print(int r, const char *file, int line, const char *function);

#define error_origin(r_) error_print((r_), __FILE__, __LINE__, __func__)
#define error_trace(r_) error_print((r_), __FILE__, __LINE__, __func__)
/* An outcome that the caller does not expect becomes a fatal error. */
#define error_fold(r_) ((r_) > 0 ? error_origin(-ENOTRECOVERABLE) : (r_))
