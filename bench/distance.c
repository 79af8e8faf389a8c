/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far processors 0 and 1 are from each other now, in ns for a cache line there and back, as one line of JSON: bench/run asks before and
 * after each measurement. Virtual processors wander: what crosses between them takes up to eight times as long after that, with every
 * transport. Each round keeps both busy for a moment; the last is told, for a host often moves those that have just woken up.
 */
#include <stdio.h>

#include "bench/line.h"

#define ROUNDS 5

int main(int argc, char **argv)
{
	double round_trip_ns = 0;
	struct run run;

	run_read(argc, argv, "bench distance", &run);
	for (int i = 0; i < ROUNDS; i++)
		round_trip_ns = line_round_trip_ns(&run);
	printf("{\"line_round_trip_ns\": %.1f}\n", round_trip_ns);
	return 0;
}
