/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The document is [HERITAGE_MAGIC, HERITAGE_VERSION, heritage] in msgpack, where a record is the array of its fields in the order of the
 * tables below. Writing, reading and freeing are three loops over the same tables.
 *
 *      supervisor                                        worker
 *   struct heritage -> makes sense? -> msgpack -> memfd   read a copy -> prescan -> tables -> makes sense? -> struct heritage
 *                                      sealed: nobody can change it any more
 *
 * Strings travel as bin: a path need not be UTF-8. They hold no NUL, since they are C strings at both ends. A count is believed only when
 * its records, at a byte a field, fit what is left, so memory use stays a small multiple of the document's size.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/heritage_priv.h"

/* clang-format off */
#define FIELD(kind_, type_, member_) { kind_, offsetof(struct type_, member_), 0, NULL }
#define FIELD_STRINGS(type_, member_, n_) { STRINGS, offsetof(struct type_, member_), offsetof(struct type_, n_), NULL }
#define FIELD_RECORDS(type_, member_, n_, record_) { RECORDS, offsetof(struct type_, member_), offsetof(struct type_, n_), &(record_) }
#define RECORD(name_, type_) \
	static const struct record name_ = { sizeof(struct type_), name_##_fields, sizeof(name_##_fields) / sizeof(struct field) }

/* A new member needs a row here and a new HERITAGE_VERSION. */
static_assert(sizeof(struct heritage_option) == 56 && sizeof(struct heritage_peer) == 80 && sizeof(struct heritage_lane) == 40, "tables");
static_assert(sizeof(struct heritage_edge) == 112 && sizeof(struct heritage) == 400, "tables");
static_assert(sizeof(struct heritage_death) == 32 && sizeof(struct heritage_question) == 40, "tables");
static_assert(sizeof(struct heritage_origin) == 40 && sizeof(struct heritage_origin_lane) == 16, "tables");

static const struct field option_fields[] = {
	FIELD(STRING, heritage_option, name), FIELD(U32, heritage_option, type), FIELD(I64, heritage_option, number),
	FIELD(STRING_OR_NIL, heritage_option, string), FIELD_STRINGS(heritage_option, list, n_list),
	FIELD(U32, heritage_option, line), FIELD(U32, heritage_option, column),
};
RECORD(option, heritage_option);

static const struct field peer_fields[] = {
	FIELD(U32, heritage_peer, slot), FIELD(I32, heritage_peer, segment_fd), FIELD(I32, heritage_peer, doorbell_fd),
	FIELD(U64, heritage_peer, segment_size), FIELD(U32, heritage_peer, n_readers), FIELD(U32, heritage_peer, n_writers),
	FIELD(U64, heritage_peer, off_readers), FIELD(U64, heritage_peer, off_writers), FIELD(U64, heritage_peer, off_record),
	FIELD(U64, heritage_peer, off_data), FIELD(U64, heritage_peer, control_size), FIELD(U64, heritage_peer, off_done_bits),
};
RECORD(peer, heritage_peer);

static const struct field lane_fields[] = {
	FIELD(U32, heritage_lane, peer), FIELD(U32, heritage_lane, own_index), FIELD(U32, heritage_lane, peer_index),
	FIELD(U64, heritage_lane, off_data), FIELD(U64, heritage_lane, capacity_bytes), FIELD(U64, heritage_lane, off_hold),
};
RECORD(lane, heritage_lane);

static const struct field origin_lane_fields[] = {
	FIELD(U64, heritage_origin_lane, off_data), FIELD(U64, heritage_origin_lane, capacity_bytes),
};
RECORD(origin_lane, heritage_origin_lane);

static const struct field origin_fields[] = {
	FIELD(U32, heritage_origin, slot), FIELD(I32, heritage_origin, segment_fd), FIELD(U64, heritage_origin, segment_size),
	FIELD(U64, heritage_origin, off_data), FIELD_RECORDS(heritage_origin, lanes, n_lanes, origin_lane),
};
RECORD(origin, heritage_origin);

static const struct field edge_fields[] = {
	FIELD(STRING, heritage_edge, peer_stage), FIELD(U32, heritage_edge, order), FIELD(U32, heritage_edge, balance),
	FIELD(U32, heritage_edge, full), FIELD(U32, heritage_edge, credit), FIELD(FLAG, heritage_edge, rendezvous),
	FIELD(FLAG, heritage_edge, feedback), FIELD(FLAG, heritage_edge, movable), FIELD(STRING_OR_NIL, heritage_edge, balance_key),
	FIELD(U64, heritage_edge, run_bytes), FIELD(U32, heritage_edge, run_records), FIELD(U64, heritage_edge, run_wait_ns),
	FIELD(FLAG, heritage_edge, merge), FIELD(FLAG, heritage_edge, references),
	FIELD(U64, heritage_edge, first_ticket), FIELD(U64, heritage_edge, ticket_step),
	FIELD(U64, heritage_edge, names),
	FIELD_RECORDS(heritage_edge, lanes, n_lanes, lane),
};
RECORD(edge, heritage_edge);

static const struct field loop_lane_fields[] = {
	FIELD(U32, heritage_loop_lane, producer), FIELD(U32, heritage_loop_lane, consumer),
	FIELD(U32, heritage_loop_lane, writer_index), FIELD(U32, heritage_loop_lane, reader_index),
	FIELD(U64, heritage_loop_lane, capacity_bytes),
};
RECORD(loop_lane, heritage_loop_lane);

static const struct field death_fields[] = {
	FIELD(U64, heritage_death, when_ns), FIELD(I32, heritage_death, pid), FIELD(U32, heritage_death, generation),
	FIELD(STRING, heritage_death, how), FIELD(FLAG, heritage_death, overrun),
};
RECORD(death, heritage_death);

static const struct field document_fields[] = {
	FIELD(STRING, heritage, pipeline), FIELD(STRING, heritage, stage), FIELD(STRING, heritage, kind),
	FIELD(STRING_OR_NIL, heritage, plugin), FIELD(STRING, heritage, spec), FIELD(U32, heritage, role),
	FIELD(U32, heritage, slot), FIELD(U32, heritage, worker_index), FIELD(U32, heritage, n_workers),
	FIELD(U32, heritage, n_slots), FIELD(U32, heritage, generation), FIELD(I32, heritage, supervisor_pid),
	FIELD(TOKEN, heritage, token), FIELD(STRING, heritage, control_endpoint),
	FIELD(I32, heritage, segment_fd), FIELD(I32, heritage, board_fd), FIELD(I32, heritage, doorbell_fd),
	FIELD(I32, heritage, lifeline_fd), FIELD(I32, heritage, cancel_fd), FIELD(I32, heritage, scopes_fd),
	FIELD(I32, heritage, spool_fds[0]), FIELD(I32, heritage, spool_fds[1]),
	FIELD(I32, heritage, state_fd), FIELD(I32, heritage, socket_fd),
	FIELD(STRING_OR_NIL, heritage, state_path), FIELD(U64, heritage, state_bytes),
	FIELD(U64, heritage, segment_size), FIELD(U32, heritage, n_readers), FIELD(U32, heritage, n_writers),
	FIELD(U64, heritage, off_readers), FIELD(U64, heritage, off_writers), FIELD(U64, heritage, off_record),
	FIELD(U64, heritage, off_data), FIELD(U64, heritage, control_size), FIELD(U64, heritage, off_done_bits),
	FIELD(FLAG, heritage, ordered), FIELD(FLAG, heritage, forwards),
	FIELD(FLAG, heritage, stands_in),
	FIELD(U32, heritage, batch), FIELD(U32, heritage, in_flight),
	FIELD(U64, heritage, deadline_ns), FIELD(U64, heritage, expires_ns), FIELD(STRING_OR_NIL, heritage, expires),
	FIELD(U64, heritage, admission_ns),
	FIELD(U32, heritage, attempts), FIELD(STRING_OR_NIL, heritage, dead_letter_path),
	FIELD(STRING_OR_NIL, heritage, dead_letter_store), FIELD(U64, heritage, run),
	FIELD_RECORDS(heritage, deaths, n_deaths, death),
	FIELD_RECORDS(heritage, options, n_options, option), FIELD_RECORDS(heritage, peers, n_peers, peer),
	FIELD_RECORDS(heritage, origins, n_origins, origin),
	FIELD_RECORDS(heritage, inputs, n_inputs, edge), FIELD_RECORDS(heritage, outputs, n_outputs, edge),
	FIELD_RECORDS(heritage, loop_lanes, n_loop_lanes, loop_lane),
};
const struct record heritage_record = {
	sizeof(struct heritage), document_fields, sizeof(document_fields) / sizeof(struct field)
};

static const struct field question_fields[] = {
	FIELD(STRING, heritage_question, kind), FIELD(STRING_OR_NIL, heritage_question, plugin), FIELD(U32, heritage_question, role),
	FIELD_RECORDS(heritage_question, options, n_options, option),
};
const struct record heritage_question_record = {
	sizeof(struct heritage_question), question_fields, sizeof(question_fields) / sizeof(struct field)
};

/* clang-format on */

static void strings_free(char **list, uint32_t n)
{
	for (uint32_t i = 0; list && i < n; i++)
		free(list[i]);
	free(list);
}

void record_deinit(const struct record *record, void *in)
{
	for (const struct field *field = record->fields; field < record->fields + record->n_fields; field++) {
		unsigned char *records;

		switch (field->kind) {
		case STRING:
		case STRING_OR_NIL:
			free(*(char **)field_at(field, in));
			break;
		case STRINGS:
			strings_free(*(char ***)field_at(field, in), *field_count(field, in));
			break;
		case RECORDS:
			records = *(unsigned char **)field_at(field, in);
			for (uint32_t i = 0; records && i < *field_count(field, in); i++)
				record_deinit(field->record, records + i * field->record->size_bytes);
			free(records);
			break;
		default:
			break;
		}
	}
}

void heritage_deinit(struct heritage *heritage)
{
	record_deinit(&heritage_record, heritage);
	memset(heritage, 0, sizeof(*heritage));
}

void heritage_question_deinit(struct heritage_question *question)
{
	record_deinit(&heritage_question_record, question);
	memset(question, 0, sizeof(*question));
}
