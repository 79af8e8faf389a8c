/* SPDX-License-Identifier: Apache-2.0 */
/* A folder with files as those of control groups, for machines that have none. What the kernel makes with a group is made here before. */
#pragma once

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fake_cgroup {
	char root[32];
};

static inline void fake_cgroup_write(const struct fake_cgroup *fake, const char *path, const char *words)
{
	char whole[256];
	FILE *file;

	snprintf(whole, sizeof(whole), "%s/%s", fake->root, path);
	file = fopen(whole, "we");
	assert(file);
	fputs(words, file);
	fclose(file);
}

/* What was written to it last; static. */
static inline const char *fake_cgroup_read(const struct fake_cgroup *fake, const char *path)
{
	static char words[256];
	char whole[256];
	FILE *file;
	size_t n;

	snprintf(whole, sizeof(whole), "%s/%s", fake->root, path);
	file = fopen(whole, "re");
	assert(file);
	n = fread(words, 1, sizeof(words) - 1, file);
	words[n] = '\0';
	fclose(file);
	return words;
}

static inline void fake_cgroup_mkdir(const struct fake_cgroup *fake, const char *path)
{
	char whole[256];
	int r;

	snprintf(whole, sizeof(whole), "%s/%s", fake->root, path);
	r = mkdir(whole, 0755);
	assert(r == 0);
}

/* A group /unit that has these controllers. */
static inline void fake_cgroup_init(struct fake_cgroup *fake, const char *controllers)
{
	char *made;

	strcpy(fake->root, "/tmp/weir-cgroup.XXXXXX");
	made = mkdtemp(fake->root);
	assert(made);
	fake_cgroup_mkdir(fake, "unit");
	fake_cgroup_write(fake, "unit/cgroup.controllers", controllers);
	fake_cgroup_write(fake, "unit/cgroup.subtree_control", "");
	fake_cgroup_write(fake, "unit/cgroup.procs", "");
}

/* A group below it, with the files that such a one has. */
static inline void fake_cgroup_add(const struct fake_cgroup *fake, const char *name)
{
	static const char *const files[] = { "cgroup.procs", "memory.max", "cpu.max", "cpu.weight.nice" };
	char path[200];

	snprintf(path, sizeof(path), "unit/%s", name);
	fake_cgroup_mkdir(fake, path);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "unit/%s/%s", name, files[i]);
		fake_cgroup_write(fake, path, "");
	}
}

static inline void fake_cgroup_deinit(const struct fake_cgroup *fake)
{
	char command[64];
	int r;

	snprintf(command, sizeof(command), "rm -r %s", fake->root);
	r = system(command);
	assert(r == 0);
}
