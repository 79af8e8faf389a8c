/* SPDX-License-Identifier: Apache-2.0 */
/* What of a worker takes no part in a walk. */
#include <weir/log.h>

#include "worker/worker.h"

void __wrap_weir_log(enum weir_log_level level, const char *format, ...);
void __wrap_weir_log(enum weir_log_level level, const char *format, ...)
{
	(void)level;
	(void)format;
}

/* Which turns are measured says the clock, which no walk can repeat; and what is measured stands in words that decide nothing. */
void __wrap_meter_attach(struct worker *worker);
void __wrap_meter_attach(struct worker *worker)
{
	(void)worker;
}

/* Each look before a sleep is as the one before: a few stand for all. */
uint32_t __wrap_spin_rounds(const struct spin *spin, bool crowded);
uint32_t __wrap_spin_rounds(const struct spin *spin, bool crowded)
{
	(void)spin;
	(void)crowded;
	return 3;
}

/* ... and one look after the processor was given away, without the clock. */
uint32_t __wrap_spin_yields(struct spin *spin, bool crowded);
uint32_t __wrap_spin_yields(struct spin *spin, bool crowded)
{
	(void)spin;
	(void)crowded;
	return 1;
}

bool __wrap_spin_yielded(struct spin *spin, uint64_t away_ns, bool over);
bool __wrap_spin_yielded(struct spin *spin, uint64_t away_ns, bool over)
{
	(void)spin;
	(void)away_ns;
	return !over;
}
