/* SPDX-License-Identifier: Apache-2.0 */
/* Files and text for the tests of stages: a folder of its own for each test program, and what stands in its files. */
#pragma once

#include <stddef.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

/* A path in this program's folder; static, good for the next seven calls. The folder is removed by folder_teardown(). */
const char *folder_path(const char *name);
int folder_setup(void **state);
int folder_teardown(void **state);

void file_write(const char *name, const void *data, size_t size_bytes);
void file_write_text(const char *name, const char *text);
/* The whole file, NUL-terminated; the caller frees. */
char *file_read(const char *name, size_t *ret_size);
void assert_file_is(const char *name, const char *text);

/* n lines of different lengths ("0", "1 x", "2 xx" ...); the caller frees. */
char *lines_make(unsigned n, size_t *ret_size);
