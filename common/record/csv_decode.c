/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record of CSV into msgpack. With names the head of the map is known before its fields are, so everything is written once; a record
 * with more or fewer fields than there are names is bad, and what was written is forgotten.
 */
#include "common/base/text.h"
#include "common/record/csv.h"
#include "common/record/pack.h"

struct splitting {
	const char *begin, *at, *end;
	char separator;
	struct pack pack;
	struct record_fault *fault;
};

static size_t place(const struct splitting *splitting, const char *at)
{
	return (size_t)(at - splitting->begin) + 1;
}

static int check_text(struct splitting *splitting, const char *data, size_t size_bytes)
{
	if (text_is_utf8(data, size_bytes))
		return 0;
	return record_fault(splitting->fault, "byte %zu: invalid UTF-8 in this field", place(splitting, data));
}

static int plain_field(struct splitting *splitting)
{
	const char *begin = splitting->at;
	size_t left = (size_t)(splitting->end - begin);
	const char *separator = left ? memchr(begin, splitting->separator, left) : NULL, *quote;
	size_t size = separator ? (size_t)(separator - begin) : left;

	quote = size ? memchr(begin, '"', size) : NULL;
	if (quote)
		return record_fault(
			splitting->fault,
			"byte %zu: a quote inside a field that does not begin with one: write \"...\"\"...\"",
			place(splitting, quote));
	splitting->at = begin + size;
	pack_string(&splitting->pack, begin, size);
	return check_text(splitting, begin, size);
}

/* Behind the opening quote: two quotes are one. */
static int quoted_field(struct splitting *splitting)
{
	const char *open = splitting->at - 1, *at = splitting->at;
	unsigned char *begin = splitting->pack.next + PACK_HEAD_BYTES_MAX, *to = begin;

	for (;;) {
		const char *quote = memchr(at, '"', (size_t)(splitting->end - at));

		if (!quote)
			return record_fault(splitting->fault, "byte %zu: this quote is never closed",
					    place(splitting, open));
		memcpy(to, at, (size_t)(quote - at));
		to += quote - at;
		at = quote + 1;
		if (at == splitting->end || *at != '"')
			break;
		*to++ = (unsigned char)*at++;
	}
	splitting->at = at;
	if (at < splitting->end && *at != splitting->separator)
		return record_fault(splitting->fault, "byte %zu: something behind the closing quote",
				    place(splitting, at));
	pack_string_behind(&splitting->pack, (size_t)(to - begin));
	return check_text(splitting, open + 1, (size_t)(at - open) - 1);
}

static int field(struct splitting *splitting)
{
	if (splitting->at == splitting->end || *splitting->at != '"')
		return plain_field(splitting);
	splitting->at++;
	return quoted_field(splitting);
}

/* Another field follows. */
static bool next(struct splitting *splitting)
{
	if (splitting->at == splitting->end)
		return false;
	splitting->at++;
	return true;
}

/* A '\r' at the end belongs to the newline; a blank line is no record. */
static int begin_record(struct splitting *splitting, char separator, const char *text, size_t size_bytes, void *room,
			struct record_fault *fault)
{
	if (size_bytes > RECORD_SIZE_MAX)
		return record_fault(fault, "it is longer than %zu bytes", RECORD_SIZE_MAX);
	size_bytes -= size_bytes && text[size_bytes - 1] == '\r';
	*splitting = (struct splitting){
		.begin = text, .at = text, .end = text + size_bytes, .separator = separator, .fault = fault
	};
	pack_init(&splitting->pack, room);
	return size_bytes ? 0 : RECORD_E_EMPTY;
}

static int read_array(struct splitting *splitting)
{
	unsigned char *begin = pack_open(&splitting->pack);
	uint32_t n = 0;
	int r;

	do {
		r = field(splitting);
		n++;
	} while (r == 0 && next(splitting));
	if (r == 0)
		pack_close(&splitting->pack, begin, n, false);
	return r;
}

/* How many fields there are, once one does not fit: those left are counted and not kept. */
static int ragged(struct splitting *splitting, uint32_t n, uint32_t n_names)
{
	unsigned char *room = splitting->pack.next;

	while (splitting->at < splitting->end) {
		splitting->at++;
		splitting->pack.next = room;
		if (field(splitting) != 0)
			return RECORD_E_BAD;
		n++;
	}
	return record_fault(splitting->fault, "it has %u field%s where %u %s expected", n, n == 1 ? "" : "s", n_names,
			    n_names == 1 ? "is" : "are");
}

static int read_map(struct splitting *splitting, const struct csv_names *names)
{
	const unsigned char *name = names->packed.data;
	uint32_t n = 0;
	bool more = true;

	msgpack_pack_map(&splitting->pack.packer, names->n);
	for (; n < names->n && more; n++) {
		size_t size = pack_string_size(name);

		memcpy(splitting->pack.next, name, size);
		splitting->pack.next += size;
		name += size;
		if (field(splitting) != 0)
			return RECORD_E_BAD;
		more = n + 1 < names->n && next(splitting);
	}
	return n == names->n && splitting->at == splitting->end ? 0 : ragged(splitting, n, names->n);
}

int csv_decode(const struct csv_names *names, char separator, const char *text, size_t size_bytes, void *room,
	       size_t *ret_size_bytes, struct record_fault *fault)
{
	struct splitting splitting;
	int r = begin_record(&splitting, separator, text, size_bytes, room, fault);

	if (r == 0)
		r = names->n ? read_map(&splitting, names) : read_array(&splitting);
	if (r == 0)
		*ret_size_bytes = (size_t)(splitting.pack.next - (unsigned char *)room);
	return r;
}
