/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/must.h"
#include "tests/unit/worker/stage_test.h"

static char folder[64];

const char *folder_path(const char *name)
{
	static char paths[8][256];
	static unsigned next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

int folder_setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/stage-test-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

int folder_teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	return system(command);
}

void file_write(const char *name, const void *data, size_t size_bytes)
{
	FILE *file = fopen(folder_path(name), "we");

	must(file);
	must(fwrite(data, 1, size_bytes, file) == size_bytes);
	must(fclose(file) == 0);
}

void file_write_text(const char *name, const char *text)
{
	file_write(name, text, strlen(text));
}

char *file_read(const char *name, size_t *ret_size)
{
	int fd = open(folder_path(name), O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *data;

	must(fd >= 0 && fstat(fd, &st) == 0);
	data = malloc((size_t)st.st_size + 1);
	must(data && pread(fd, data, (size_t)st.st_size, 0) == st.st_size);
	data[st.st_size] = '\0';
	close(fd);
	*ret_size = (size_t)st.st_size;
	return data;
}

void assert_file_is(const char *name, const char *text)
{
	size_t size;
	char *data = file_read(name, &size);

	assert_string_equal(data, text);
	assert_int_equal(size, strlen(text));
	free(data);
}

char *lines_make(unsigned n, size_t *ret_size)
{
	char *text = malloc((size_t)n * 120 + 1), *at = text;

	must(text);
	for (unsigned i = 0; i < n; i++) {
		at += sprintf(at, "%u ", i);
		memset(at, 'a' + (int)(i % 26), i * 7 % 100);
		at += i * 7 % 100;
		*at++ = '\n';
	}
	*at = '\0';
	*ret_size = (size_t)(at - text);
	return text;
}
