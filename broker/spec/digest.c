/* SPDX-License-Identifier: Apache-2.0 */
/* libgcrypt does the sums: libsystemd has it in this process anyway (decision 0045). */
#include "broker/spec/digest.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <gcrypt.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/must.h"

#define READ_BYTES (64u * 1024u)
#define DIGEST_BYTES 32u
static_assert(2 * DIGEST_BYTES + 1 == DIGEST_TEXT_SIZE, "hex");

/* The library wants this before anything else, once. */
static void library_ready(void)
{
	static bool ready;

	if (ready)
		return;
	must(gcry_check_version(NULL));
	gcry_control(GCRYCTL_DISABLE_SECMEM, 0); /* nothing here is secret */
	gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
	ready = true;
}

static void to_hex(const unsigned char *digest, char *hex)
{
	for (size_t i = 0; i < DIGEST_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

void digest_bytes(const void *bytes, size_t n, char ret_hex[static DIGEST_TEXT_SIZE])
{
	unsigned char digest[DIGEST_BYTES];

	library_ready();
	gcry_md_hash_buffer(GCRY_MD_SHA256, digest, bytes, n);
	to_hex(digest, ret_hex);
}

static int feed(gcry_md_hd_t sum, int fd)
{
	unsigned char buffer[READ_BYTES];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, buffer, sizeof(buffer), at)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_origin(-errno);
		gcry_md_write(sum, buffer, (size_t)n);
		at += n;
	}
	return 0;
}

int digest_fd(int fd, char ret_hex[static DIGEST_TEXT_SIZE])
{
	gcry_md_hd_t sum;
	int r;

	library_ready();
	if (gcry_md_open(&sum, GCRY_MD_SHA256, 0))
		return error_origin(-ENOMEM);
	r = feed(sum, fd);
	if (r == 0)
		to_hex(gcry_md_read(sum, GCRY_MD_SHA256), ret_hex);
	gcry_md_close(sum);
	return r;
}

int digest_file(const char *path, char ret_hex[static DIGEST_TEXT_SIZE])
{
	_cleanup_(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return error_origin(-errno);
	return S_ISREG(status.st_mode) ? digest_fd(fd, ret_hex) : error_origin(-EINVAL);
}
