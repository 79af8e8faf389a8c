/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asserts that stay on in release builds: must() for what this code itself guarantees. Never for bytes that
 * another process, a file or a person can write: those are checked and answered.
 */
#pragma once

#include <stdnoreturn.h>

noreturn void must_failed(const char *what, const char *file, int line, const char *function);

#define must(x_) ((x_) ? (void)0 : must_failed(#x_, __FILE__, __LINE__, __func__))
#define unreachable_because(why_) must_failed("unreachable: " why_, __FILE__, __LINE__, __func__)
