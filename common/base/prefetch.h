/* SPDX-License-Identifier: Apache-2.0 */
/* Asking for cache lines before they are needed. Hints: any address will do. */
#pragma once

static inline void prefetch_to_read(const void *address)
{
	__builtin_prefetch(address);
}

/* For writing: whoever else holds the line gives it up. */
static inline void prefetch_to_write(const void *address)
{
#ifdef __x86_64__ /* the builtin needs a compiler option to mean this here */
	__asm__ volatile("prefetchw %0" ::"m"(*(const unsigned char *)address));
#else
	__builtin_prefetch(address, 1);
#endif
}
