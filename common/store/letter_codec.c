/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stored letter is a msgpack array, whose first member is the version: [3, time, pipeline, stage, input, worker, cause, reason,
 * attempts, sequence, accepted, run, producer, part, [[when, pid, generation, how], ...], payload, baggage, last run]. Version 1 had no
 * baggage, 2 no last run. Strings travel as bin: a reason that a stage gives need not be UTF-8. A new member needs a new version, and this
 * one must stay readable: letters outlive programs.
 */
#include <errno.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error.h"
#include "common/store/letter.h"
#include "common/wire/prescan.h"
#include "common/wire/reader.h"

enum {
	LETTER_VERSION = 3,
	LETTER_MEMBERS_OF_1 = 16,
	LETTER_MEMBERS = LETTER_MEMBERS_OF_1 + LETTER_VERSION - 1,
	DEATH_MEMBERS = 4
};

/* ---- writing ---- */

static int pack_bytes(msgpack_packer *packer, const void *bytes, size_t size_bytes)
{
	if (msgpack_pack_bin(packer, size_bytes))
		return -1;
	return size_bytes ? msgpack_pack_bin_body(packer, bytes, size_bytes) : 0;
}

static int pack_string(msgpack_packer *packer, const char *string)
{
	return pack_bytes(packer, string, string ? strlen(string) : 0);
}

static int pack_deaths(msgpack_packer *packer, const struct dead_letter *letter)
{
	int r = msgpack_pack_array(packer, letter->n_deaths);

	for (uint32_t i = 0; i < letter->n_deaths && !r; i++) {
		const struct dead_letter_death *death = &letter->deaths[i];

		r = msgpack_pack_array(packer, DEATH_MEMBERS) || msgpack_pack_uint64(packer, death->when_ns) ||
		    msgpack_pack_uint32(packer, (uint32_t)death->pid) ||
		    msgpack_pack_uint32(packer, death->generation) || pack_string(packer, death->how);
	}
	return r;
}

int letter_encode(const struct dead_letter *letter, char **ret_bytes, size_t *ret_size_bytes)
{
	msgpack_sbuffer buffer;
	msgpack_packer packer;

	msgpack_sbuffer_init(&buffer);
	msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
	if (msgpack_pack_array(&packer, LETTER_MEMBERS) || msgpack_pack_uint32(&packer, LETTER_VERSION) ||
	    msgpack_pack_uint64(&packer, letter->time_ns) || pack_string(&packer, letter->pipeline) ||
	    pack_string(&packer, letter->stage) || pack_string(&packer, letter->input) ||
	    msgpack_pack_uint32(&packer, letter->worker_index) ||
	    msgpack_pack_uint32(&packer, (uint32_t)letter->cause) || pack_string(&packer, letter->reason) ||
	    msgpack_pack_uint32(&packer, letter->attempts) || msgpack_pack_uint64(&packer, letter->sequence) ||
	    msgpack_pack_uint64(&packer, letter->accepted_ns) || msgpack_pack_uint64(&packer, letter->run) ||
	    msgpack_pack_uint32(&packer, letter->producer) || msgpack_pack_uint64(&packer, letter->part) ||
	    pack_deaths(&packer, letter) || pack_bytes(&packer, letter->data, letter->size_bytes) ||
	    pack_bytes(&packer, letter->baggage, letter->baggage_bytes) ||
	    msgpack_pack_uint64(&packer, letter->last_run)) {
		msgpack_sbuffer_destroy(&buffer);
		return error_origin(-ENOMEM);
	}
	*ret_size_bytes = buffer.size;
	*ret_bytes = msgpack_sbuffer_release(&buffer);
	return 0;
}

/* ---- reading ---- */

/* What is left of the memory for strings; each gets a NUL, for which it has left its tag behind. */
struct decoding {
	struct reader reader;
	char *next;
};

static int take_string(struct decoding *decoding, const char **ret_string)
{
	const char *data;
	size_t size_bytes;

	if (reader_binary(&decoding->reader, &data, &size_bytes) || memchr(data, '\0', size_bytes))
		return LETTER_E_BAD;
	*ret_string = memcpy(decoding->next, data, size_bytes);
	decoding->next[size_bytes] = '\0';
	decoding->next += size_bytes + 1;
	return 0;
}

static int take_number32(struct decoding *decoding, uint32_t *ret_value)
{
	uint64_t value;

	if (reader_unsigned(&decoding->reader, &value) || value > UINT32_MAX)
		return LETTER_E_BAD;
	*ret_value = (uint32_t)value;
	return 0;
}

static int take_death(struct decoding *decoding, struct dead_letter_death *death)
{
	uint32_t n, pid;

	if (reader_array(&decoding->reader, &n) || n != DEATH_MEMBERS ||
	    reader_unsigned(&decoding->reader, &death->when_ns) || take_number32(decoding, &pid) ||
	    take_number32(decoding, &death->generation) || take_string(decoding, &death->how))
		return LETTER_E_BAD;
	death->pid = (int32_t)pid;
	return 0;
}

static int take_deaths(struct decoding *decoding, struct letter_copy *copy)
{
	uint32_t n;

	if (reader_array(&decoding->reader, &n))
		return LETTER_E_BAD;
	if (!n)
		return 0;
	copy->deaths = calloc(n, sizeof(*copy->deaths));
	if (!copy->deaths)
		return error_origin(-ENOMEM);
	for (uint32_t i = 0; i < n; i++)
		if (take_death(decoding, &copy->deaths[i]))
			return LETTER_E_BAD;
	copy->letter.deaths = copy->deaths;
	copy->letter.n_deaths = n;
	return 0;
}

static int take_letter(struct decoding *decoding, struct letter_copy *copy)
{
	struct dead_letter *letter = &copy->letter;
	struct reader *reader = &decoding->reader;
	uint32_t n, version, cause;
	const char *data;
	int r;

	if (reader_array(reader, &n) || take_number32(decoding, &version) || !version || version > LETTER_VERSION ||
	    n != LETTER_MEMBERS_OF_1 + version - 1 || /* each has brought one */
	    reader_unsigned(reader, &letter->time_ns) || take_string(decoding, &letter->pipeline) ||
	    take_string(decoding, &letter->stage) || take_string(decoding, &letter->input) ||
	    take_number32(decoding, &letter->worker_index) || take_number32(decoding, &cause) ||
	    take_string(decoding, &letter->reason) || take_number32(decoding, &letter->attempts) ||
	    reader_unsigned(reader, &letter->sequence) || reader_unsigned(reader, &letter->accepted_ns) ||
	    reader_unsigned(reader, &letter->run) || take_number32(decoding, &letter->producer) ||
	    reader_unsigned(reader, &letter->part))
		return LETTER_E_BAD;
	letter->cause = (enum dead_letter_cause)cause;
	r = take_deaths(decoding, copy);
	if (r)
		return r;
	if (reader_binary(reader, &data, &letter->size_bytes))
		return LETTER_E_BAD;
	letter->data = data;
	if (version > 1 && reader_binary(reader, &data, &letter->baggage_bytes))
		return LETTER_E_BAD;
	letter->baggage = letter->baggage_bytes ? data : NULL;
	letter->last_run = letter->run;
	if (version > 2 && reader_unsigned(reader, &letter->last_run))
		return LETTER_E_BAD;
	return reader_at_end(reader) ? 0 : LETTER_E_BAD;
}

int letter_decode(const void *bytes, size_t size_bytes, struct letter_copy *ret_copy)
{
	struct decoding decoding;
	int r;

	*ret_copy = (struct letter_copy){ 0 };
	if (prescan(bytes, size_bytes, size_bytes))
		return LETTER_E_BAD;
	ret_copy->strings = malloc(size_bytes);
	if (!ret_copy->strings)
		return error_origin(-ENOMEM);
	reader_init(&decoding.reader, bytes, size_bytes);
	decoding.next = ret_copy->strings;
	r = take_letter(&decoding, ret_copy);
	if (r)
		letter_copy_deinit(ret_copy);
	return r;
}

void letter_copy_deinit(struct letter_copy *copy)
{
	free(copy->deaths);
	free(copy->strings);
	*copy = (struct letter_copy){ 0 };
}
