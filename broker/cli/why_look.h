/* SPDX-License-Identifier: Apache-2.0 */
/* Looks into running pipelines for a while, and says who holds each of them back: broker/observe/pace.h. */
#pragma once

#include <stdint.h>

#include "broker/observe/observer.h"
#include "broker/observe/pace.h"

struct why_look {
	const char *name; /* set by the caller; all else is zero before the first look */
	struct observer *observer;
	struct pace_view before, after;
	struct pace_finding findings[PACE_FINDINGS_MAX]; /* refer to the observer's catalog, and to `after` */
	size_t n_findings;
	double seconds; /* that it was looked at, up to its end if that came first; 0: there is nothing to be told */
	bool running;   /* neither coming up nor ending: else nothing is said of its pace */
	bool over;      /* something has become of it meanwhile: */
	bool replanned; /* ... another spec: views and catalog don't fit together any more */
	struct text trouble; /* ... that; empty: none */
};

/*
 * Looks at all of them for window_ns, side by side, every few milliseconds; asks each for its state now and then, and at the end for what
 * has happened lately. Blocks for so long, and for their answers; no longer than any of
 * them runs. A look with a `trouble` has no findings.
 */
void why_look(struct why_look *looks, size_t n, uint64_t window_ns);
void why_look_deinit(struct why_look *look);
