/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one line on a worker's stderr that is no words of its own but where it stands:
 *
 *      "\n<5>\002backtrace: spin (stuck.so+0x11a9) < get_stuck (stuck.so+0x1230) < stuck_process (stuck.so+0x1401)\n"
 *
 * innermost first. It begins with a newline, for a program may have left a line open, and goes out in one write(2), which a
 * pipe takes whole.
 */
#pragma once

#define BACKTRACE_MARK '\002'
#define BACKTRACE_BEGIN "backtrace" /* then " (thread 4713, address 0x10)" or nothing */
#define BACKTRACE_COLON ": "
#define BACKTRACE_BETWEEN " < "
#define BACKTRACE_LINE_MAX 960u /* bytes, from the mark on; less than the supervisor takes of a line */
