/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes to and fro between who looks at items and `weir-worker --sieve EXPR`, a child that says of each whether a jq expression lets it
 * pass: SIEVE_READY once it has compiled, then for each struct sieve_question, and its bytes behind it, one struct sieve_answer, and the
 * bytes of its reason. Both ends are of the same weir; the child runs foreign text, so its answers are checked.
 */
#pragma once

#include <stdint.h>

#define SIEVE_READY 'r'
#define SIEVE_REASON_MAX 400u

struct sieve_question {
	uint32_t size_bytes;
	uint32_t structured; /* 1: one msgpack value; 0: text */
};

enum sieve_verdict { SIEVE_STAYS = 0, SIEVE_PASSES = 1, SIEVE_FAILED = 2 };
struct sieve_answer {
	uint32_t verdict;      /* enum sieve_verdict */
	uint32_t reason_bytes; /* FAILED: of the reason; else 0 */
};
