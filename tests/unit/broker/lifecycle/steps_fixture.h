/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of one test file: begun anew for each of its tests. */
#pragma once

#include "tests/unit/broker/lifecycle/steps.h"

static struct steps steps;
static struct lifecycle *const life = &steps.lifecycle;

static int begin(void **state)
{
	(void)state;
	steps_init(&steps);
	return 0;
}

static int end(void **state)
{
	(void)state;
	steps_deinit(&steps);
	return 0;
}
