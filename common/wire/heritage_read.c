/* SPDX-License-Identifier: Apache-2.0 */
/* A document -> struct heritage. Reads a private copy, so that not even an unsealed file can change under the checks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/wire/heritage_priv.h"
#include "common/wire/prescan.h"
#include "common/wire/reader.h"

/* All below return 0, HERITAGE_E_BAD, -ENOMEM. What was read before a failure is in the record, for record_deinit(). */

static int read_u32(struct reader *reader, uint32_t *ret)
{
	uint64_t value;

	if (reader_unsigned(reader, &value) || value > UINT32_MAX)
		return HERITAGE_E_BAD;
	*ret = (uint32_t)value;
	return 0;
}

static int read_i32(struct reader *reader, int32_t *ret)
{
	int64_t value;

	if (reader_signed(reader, &value) || value < INT32_MIN || value > INT32_MAX)
		return HERITAGE_E_BAD;
	*ret = (int32_t)value;
	return 0;
}

static int read_token(struct reader *reader, uint8_t *ret)
{
	const char *data;
	size_t n;

	if (reader_binary(reader, &data, &n) || n != HERITAGE_TOKEN_SIZE)
		return HERITAGE_E_BAD;
	memcpy(ret, data, n);
	return 0;
}

static int read_c_string(struct reader *reader, char **ret)
{
	const char *data;
	size_t n;

	if (reader_binary(reader, &data, &n) || memchr(data, '\0', n))
		return HERITAGE_E_BAD;
	*ret = strndup(data, n);
	return *ret ? 0 : error_origin(-ENOMEM);
}

/* Room for n + extra zeroed elements, when n of them at min_bytes each can still follow. */
static int read_array(struct reader *reader, size_t size_bytes, uint32_t min_bytes, uint32_t extra, void **ret,
		      uint32_t *ret_n)
{
	uint32_t n;

	if (reader_array(reader, &n) || n > (size_t)(reader->end - reader->next) / min_bytes)
		return HERITAGE_E_BAD;
	if (n + extra == 0)
		return 0;
	*ret = calloc((size_t)n + extra, size_bytes);
	if (!*ret)
		return error_origin(-ENOMEM);
	*ret_n = n;
	return 0;
}

static int read_strings(struct reader *reader, char ***ret, uint32_t *ret_n)
{
	void *list = NULL;
	int r;

	if (reader_nil(reader) == 0)
		return 0;
	r = read_array(reader, sizeof(char *), 1, 1, &list, ret_n);
	*ret = list;
	for (uint32_t i = 0; !r && i < *ret_n; i++)
		r = read_c_string(reader, &(*ret)[i]);
	return r;
}

static int read_record(struct reader *reader, const struct record *record, void *in);

static int read_records(struct reader *reader, const struct record *record, unsigned char **ret, uint32_t *ret_n)
{
	void *records = NULL;
	int r = read_array(reader, record->size_bytes, record->n_fields + 1, 0, &records, ret_n);

	*ret = records;
	for (uint32_t i = 0; !r && i < *ret_n; i++)
		r = read_record(reader, record, *ret + i * record->size_bytes);
	return r;
}

static int read_field(struct reader *reader, const struct field *field, void *in)
{
	void *at = field_at(field, in);

	switch (field->kind) {
	case U32:
		return read_u32(reader, at);
	case U64:
		return reader_unsigned(reader, at) ? HERITAGE_E_BAD : 0;
	case I32:
		return read_i32(reader, at);
	case I64:
		return reader_signed(reader, at) ? HERITAGE_E_BAD : 0;
	case FLAG:
		return reader_boolean(reader, at) ? HERITAGE_E_BAD : 0;
	case TOKEN:
		return read_token(reader, at);
	case STRINGS:
		return read_strings(reader, at, field_count(field, in));
	case RECORDS:
		return read_records(reader, field->record, at, field_count(field, in));
	default:
		break;
	}
	if (field->kind == STRING_OR_NIL && reader_nil(reader) == 0)
		return 0;
	return read_c_string(reader, at);
}

static int read_record(struct reader *reader, const struct record *record, void *in)
{
	uint32_t n;
	int r = reader_array(reader, &n) || n != record->n_fields ? HERITAGE_E_BAD : 0;

	for (uint32_t i = 0; !r && i < record->n_fields; i++)
		r = read_field(reader, &record->fields[i], in);
	return r;
}

static int read_document(const char *data, size_t size_bytes, const struct record *record, void *in)
{
	struct reader reader;
	uint64_t magic, version;
	uint32_t n;
	int r;

	if (prescan(data, size_bytes, HERITAGE_SIZE_MAX))
		return HERITAGE_E_BAD;
	reader_init(&reader, data, size_bytes);
	if (reader_array(&reader, &n) || n != 3 || reader_unsigned(&reader, &magic) || magic != HERITAGE_MAGIC ||
	    reader_unsigned(&reader, &version) || version != HERITAGE_VERSION)
		return HERITAGE_E_BAD;
	r = read_record(&reader, record, in);
	return r == 0 && !reader_at_end(&reader) ? HERITAGE_E_BAD : r;
}

/* A copy of the whole file. */
static int read_file(int fd, char **ret_data, size_t *ret_size_bytes)
{
	_cleanup_(free) char *data = NULL;
	size_t size_bytes, done = 0;
	struct stat st;

	if (fstat(fd, &st))
		return error_origin(-errno);
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > HERITAGE_SIZE_MAX)
		return HERITAGE_E_BAD;
	size_bytes = (size_t)st.st_size;
	data = malloc(size_bytes);
	if (!data)
		return error_origin(-ENOMEM);
	while (done < size_bytes) {
		ssize_t n = pread(fd, data + done, size_bytes - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_origin(-errno);
		if (n == 0)
			return HERITAGE_E_BAD;
		done += (size_t)n;
	}
	*ret_data = steal_pointer(&data);
	*ret_size_bytes = size_bytes;
	return 0;
}

static int read_from(int fd, const struct record *record, void *in)
{
	_cleanup_(free) char *data = NULL;
	size_t size_bytes = 0;
	int r = read_file(fd, &data, &size_bytes);

	return r ? r : read_document(data, size_bytes, record, in);
}

int heritage_read(int fd, struct heritage *ret_heritage)
{
	struct heritage heritage = { 0 };
	int r = read_from(fd, &heritage_record, &heritage);

	if (r == 0 && !heritage_makes_sense(&heritage))
		r = HERITAGE_E_BAD;
	if (r)
		heritage_deinit(&heritage);
	else
		*ret_heritage = heritage;
	return r;
}

int heritage_question_read(int fd, struct heritage_question *ret_question)
{
	struct heritage_question question = { 0 };
	int r = read_from(fd, &heritage_question_record, &question);

	if (r == 0 && !heritage_question_makes_sense(&question))
		r = HERITAGE_E_BAD;
	if (r)
		heritage_question_deinit(&question);
	else
		*ret_question = question;
	return r;
}
