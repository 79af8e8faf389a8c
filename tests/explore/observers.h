/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A worker that commits its cursor, and nothing else, so many times as there are items. */
void turns(unsigned slot);
/* Takes snapshots of slot 1's cursor beside it. */
void observe_cursor(unsigned thread);
/* Sums the lanes around slot 1 beside it. */
void observe_lanes(unsigned thread);
