/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers with units as people write them. All return 0 and store the result, or QUANTITY_E_BAD and leave it alone. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { QUANTITY_E_BAD = 1 };

/* "1000", "10k", "5M", "-3"; powers of 1000. */
int quantity_integer(const char *text, int64_t *ret_value);
/* "512", "64KiB", "1MiB", "10MB", "1G" (= GiB, as in dd); bytes. */
int quantity_size(const char *text, int64_t *ret_bytes);
/* "500ms", "30s", "1.5s", "5m", "2h", "10us", "0"; a bare number other than 0 is refused: it lacks its unit. Nanoseconds. */
int quantity_duration(const char *text, int64_t *ret_ns);
/* "1000", "1000/s", "60/m", "10k/s"; so many items in so many seconds: 1, 60 or 3600. */
int quantity_rate_parts(const char *text, int64_t *ret_items, int64_t *ret_seconds);
/* The same; items per second, rounded up. */
int quantity_rate(const char *text, int64_t *ret_per_second);
/* "10%", "0.5%", "0.25", "1" (all); billionths of the whole. */
int quantity_share(const char *text, int64_t *ret_billionths);

/* For people: "1.2 MiB", "12.3 MB/s"-style without "/s", "1,234,567", "4.2 s". `buffer` is returned. */
#define QUANTITY_TEXT_SIZE 32
char *quantity_format_size(uint64_t bytes, char buffer[static QUANTITY_TEXT_SIZE]);
char *quantity_format_count(uint64_t n, char buffer[static QUANTITY_TEXT_SIZE]);
char *quantity_format_duration(uint64_t ns, char buffer[static QUANTITY_TEXT_SIZE]);
