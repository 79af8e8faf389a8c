/* SPDX-License-Identifier: Apache-2.0 */
/* How a change to another plan ends. */
#pragma once

enum reload_end {
#define RELOAD_END(id_, name_, sentence_) RELOAD_END_##id_,
#include "broker/lifecycle/reload_end.def"
#undef RELOAD_END
	RELOAD_END_COUNT
};
/* "done", ...; for people; static. */
const char *reload_end_name(enum reload_end how);
const char *reload_end_sentence(enum reload_end how);
