/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs' functions. Each takes its own argv (argv[0] = the verb) and returns the exit code of weir. */
#pragma once

int run_command(int argc, char **argv);
/* SPEC.lock */
int lock_command(int argc, char **argv);
int ps_command(int argc, char **argv);
int top_command(int argc, char **argv);
int dump_command(int argc, char **argv);
int profile_command(int argc, char **argv);
int history_command(int argc, char **argv);
int why_command(int argc, char **argv);
/* record; and export, which trace_export.h has. */
int trace_command(int argc, char **argv);
int tap_command(int argc, char **argv);
int metrics_command(int argc, char **argv);
int console_command(int argc, char **argv);
/* drain, stop and cancel: one function, three orders. */
int stop_command(int argc, char **argv);
int resume_command(int argc, char **argv);
int reload_command(int argc, char **argv);
int scale_command(int argc, char **argv);
int chaos_command(int argc, char **argv);
/* ls, show, export and purge of dead letters. */
int dlq_command(int argc, char **argv);
int table_command(int argc, char **argv);
/* A project from scaffold/. */
int new_command(int argc, char **argv);
int version_command(int argc, char **argv);
int help_command(int argc, char **argv);
