/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Frees what the last execution has taken; in setup(). */
void stubs_reset(void);
