/* SPDX-License-Identifier: Apache-2.0 */
/* An event of a flight recorder in words. */
#pragma once

#include "broker/spec/plan.h"
#include "common/base/text.h"
#include "common/observe/recorder.h"

/*
 * Appends "take read#0->price#0 bytes 6144 sequence 63 position 6144", for the recorder of that slot: the event's name, its place, and each
 * of its fields. Numbers that stand for something are named, those that stand for nothing known stay numbers. Pure.
 */
void event_text_add(const struct plan *plan, uint32_t slot, const struct recorder_record *record, struct text *text);
