/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A proxy before this server reads the same bytes, and where it finds another end of a request than libmicrohttpd does, the rest is a
 * request of its own to one of them, which the other has never looked at:
 *
 *      Content-Length: 3, Content-Length: 5       the first counts, or the last
 *      Content-Length, Transfer-Encoding          one counts, or the other
 *      Transfer-Encoding: gzip, chunked           chunks, or all that comes
 *      Content-Length : 5                         a length, or a header that nobody knows
 *
 * So none of them is taken, and the connection is closed: what follows has no beginning that is known.
 */
#include "worker/sources/http_framing.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

struct framing {
	unsigned n_lengths, n_codings, n_hosts;
	bool has_odd_name, has_unknown_coding;
};

static enum MHD_Result note_header(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct framing *framing = cls;

	(void)kind;
	framing->has_odd_name = framing->has_odd_name || strpbrk(name, " \t");
	framing->n_lengths += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
	framing->n_hosts += strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0;
	if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
		framing->n_codings++;
		/* to libmicrohttpd, too, it is that or not, with nothing around it */
		if (!value || strcasecmp(value, "chunked") != 0)
			framing->has_unknown_coding = true;
	}
	return MHD_YES;
}

const char *http_framing_fault(const struct http_library *library, struct MHD_Connection *connection,
			       const char *version, unsigned *ret_status)
{
	struct framing framing = { 0 };

	(void)library->get_connection_values(connection, MHD_HEADER_KIND, note_header, &framing);
	*ret_status = MHD_HTTP_BAD_REQUEST;
	if (framing.has_odd_name)
		return "the name of a header has a blank in it, or before its colon\n";
	if (framing.n_hosts > 1)
		return "a request has one Host\n";
	if (framing.n_lengths > 1)
		return "a request has one Content-Length\n";
	if (framing.n_codings && framing.n_lengths)
		return "a request has a Content-Length or a Transfer-Encoding, not both\n";
	if (framing.n_codings && strcmp(version, MHD_HTTP_VERSION_1_1) != 0)
		return "Transfer-Encoding is for HTTP/1.1\n";
	if (framing.n_codings > 1)
		return "a request has one Transfer-Encoding\n";
	*ret_status = MHD_HTTP_NOT_IMPLEMENTED;
	if (framing.has_unknown_coding)
		return "no Transfer-Encoding but chunked is understood: send the body as it is\n";
	return NULL;
}
