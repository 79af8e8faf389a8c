/* SPDX-License-Identifier: Apache-2.0 */
/* State folders: what of a pipeline outlives its runs. Only the paths: whoever writes there makes the folders. */
#pragma once

/*
 * The folder of all pipelines, absolute: WEIR_STATE_DIR; or the first of STATE_DIRECTORY (systemd's StateDirectory=); or /var/lib/weir for
 * root; or $XDG_STATE_HOME/weir; or ~/.local/state/weir; or, for who has no home, /var/tmp/weir-<uid>. The caller frees.
 */
char *state_dir_base(void);
/* <base>/<pipeline>/dead-letters: the dead-letter store of a pipeline. The caller frees. */
char *state_dir_dead_letters(const char *pipeline);
/* <base>/<pipeline>/spec: the spec that a kept run goes by (broker/keep/last_good.h). The caller frees. */
char *state_dir_last_good(const char *pipeline);
/* <base>/<pipeline>/state: what its stages remember as long as it runs. The caller frees. */
char *state_dir_keyed_state(const char *pipeline);
/* <base>/<pipeline>/positions: where its sources stood at the end of its last run. The caller frees. */
char *state_dir_positions(const char *pipeline);
/* <base>/<pipeline>/history: what has happened in its runs, a line of JSON each; with ".old" behind it, what was before. The caller frees. */
char *state_dir_history(const char *pipeline);
