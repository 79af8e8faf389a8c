/* SPDX-License-Identifier: Apache-2.0 */
/* struct heritage -> a sealed document. */
#include <errno.h>
#include <fcntl.h>
#include <msgpack/pack.h>
#include <msgpack/sbuffer.h>
#include <string.h>
#include <unistd.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/memory/segment.h"
#include "common/wire/heritage_priv.h"

/* msgpack-c says -1 when it has no memory. */
static int folded(int r)
{
	return r ? -ENOMEM : 0;
}

static int pack_c_string(msgpack_packer *packer, const char *string)
{
	size_t n = strlen(string);

	if (n > HERITAGE_SIZE_MAX)
		return -E2BIG;
	return folded(msgpack_pack_bin(packer, n) || msgpack_pack_bin_body(packer, string, n));
}

static int pack_strings(msgpack_packer *packer, char *const *list, uint32_t n)
{
	if (!list)
		return n ? -EINVAL : folded(msgpack_pack_nil(packer));
	if (msgpack_pack_array(packer, n))
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		int r = list[i] ? pack_c_string(packer, list[i]) : -EINVAL;

		if (r)
			return r;
	}
	return 0;
}

static int pack_record(msgpack_packer *packer, const struct record *record, void *in);

static int pack_records(msgpack_packer *packer, const struct record *record, unsigned char *records, uint32_t n)
{
	if (n && !records)
		return -EINVAL;
	if (msgpack_pack_array(packer, n))
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		int r = pack_record(packer, record, records + i * record->size_bytes);

		if (r)
			return r;
	}
	return 0;
}

static int pack_field(msgpack_packer *packer, const struct field *field, void *in)
{
	void *at = field_at(field, in);
	const char *string;

	switch (field->kind) {
	case U32:
		return folded(msgpack_pack_uint32(packer, *(uint32_t *)at));
	case U64:
		return folded(msgpack_pack_uint64(packer, *(uint64_t *)at));
	case I32:
		return folded(msgpack_pack_int32(packer, *(int32_t *)at));
	case I64:
		return folded(msgpack_pack_int64(packer, *(int64_t *)at));
	case FLAG:
		return folded(*(bool *)at ? msgpack_pack_true(packer) : msgpack_pack_false(packer));
	case TOKEN:
		return folded(msgpack_pack_bin(packer, HERITAGE_TOKEN_SIZE) ||
			      msgpack_pack_bin_body(packer, at, HERITAGE_TOKEN_SIZE));
	case STRINGS:
		return pack_strings(packer, *(char ***)at, *field_count(field, in));
	case RECORDS:
		return pack_records(packer, field->record, *(unsigned char **)at, *field_count(field, in));
	default:
		break;
	}
	string = *(char **)at;
	if (string)
		return pack_c_string(packer, string);
	return field->kind == STRING ? -EINVAL : folded(msgpack_pack_nil(packer));
}

static int pack_record(msgpack_packer *packer, const struct record *record, void *in)
{
	if (msgpack_pack_array(packer, record->n_fields))
		return -ENOMEM;
	for (uint32_t i = 0; i < record->n_fields; i++) {
		int r = pack_field(packer, &record->fields[i], in);

		if (r)
			return r;
	}
	return 0;
}

static int pack_document(msgpack_packer *packer, const struct record *record, void *in)
{
	if (msgpack_pack_array(packer, 3) || msgpack_pack_uint64(packer, HERITAGE_MAGIC) ||
	    msgpack_pack_uint32(packer, HERITAGE_VERSION))
		return -ENOMEM;
	return pack_record(packer, record, in);
}

static int write_all(int fd, const char *data, size_t size_bytes)
{
	while (size_bytes) {
		ssize_t n = write(fd, data, size_bytes);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_origin(-errno);
		data += n;
		size_bytes -= (size_t)n;
	}
	return 0;
}

static int seal(const msgpack_sbuffer *buffer, int *ret_fd)
{
	_cleanup_(close) int fd = -1;
	int r;

	if (buffer->size > HERITAGE_SIZE_MAX)
		return error_origin(-E2BIG);
	r = memfd_new("weir-heritage", &fd);
	if (!r)
		r = write_all(fd, buffer->data, buffer->size);
	if (r)
		return error_trace(r);
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL))
		return error_origin(-errno);
	*ret_fd = steal_fd(&fd);
	return 0;
}

static int write_document(const struct record *record, void *in, int *ret_fd)
{
	msgpack_sbuffer buffer;
	msgpack_packer packer;
	int r;

	msgpack_sbuffer_init(&buffer);
	msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
	r = pack_document(&packer, record, in);
	r = r ? error_origin(r) : seal(&buffer, ret_fd);
	msgpack_sbuffer_destroy(&buffer);
	return r;
}

int heritage_write(const struct heritage *heritage, int *ret_fd)
{
	struct heritage copy = *heritage; /* the tables speak of what may be written to; nothing is */

	if (!heritage_makes_sense(heritage))
		return error_origin(-EINVAL);
	return write_document(&heritage_record, &copy, ret_fd);
}

int heritage_bytes(const struct heritage *heritage, char **ret_bytes, size_t *ret_size_bytes)
{
	struct heritage copy = *heritage;
	msgpack_sbuffer buffer;
	msgpack_packer packer;
	int r;

	msgpack_sbuffer_init(&buffer);
	msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
	r = pack_document(&packer, &heritage_record, &copy);
	if (r == 0) {
		*ret_size_bytes = buffer.size;
		*ret_bytes = msgpack_sbuffer_release(&buffer);
	}
	msgpack_sbuffer_destroy(&buffer);
	return r ? error_origin(r) : 0;
}

int heritage_question_write(const struct heritage_question *question, int *ret_fd)
{
	struct heritage_question copy = *question;

	if (!heritage_question_makes_sense(question))
		return error_origin(-EINVAL);
	return write_document(&heritage_question_record, &copy, ret_fd);
}
