/* SPDX-License-Identifier: Apache-2.0 */
#include "broker/supervise/stall_episode.h"

static const struct stall_finding *find(const struct stall_episode *episode, const struct stall_finding *findings,
					size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (findings[i].culprit == episode->culprit && findings[i].kind == episode->kind)
			return &findings[i];
	return NULL;
}

static bool is_known(const struct stall_episode *episodes, const struct stall_finding *finding)
{
	for (size_t i = 0; i < STALL_FINDINGS_MAX; i++)
		if (episodes[i].open && find(&episodes[i], finding, 1))
			return true;
	return false;
}

/* Who sleeps wakes up now and then to look: one look that finds it awake says nothing. That something of it has moved does. */
static bool has_ended(struct stall_episode *episode, const struct stall_history *history)
{
	return history->generation != episode->generation || !history->n_looks ||
	       ++episode->n_missing >= STALL_LOOKS_MISSING;
}

static void go_on(struct stall_episode *episode, const struct stall_finding *finding, uint64_t now_ns, stall_tell *tell,
		  void *data)
{
	episode->n_missing = 0;
	if (now_ns - episode->said_ns < episode->pause_ns)
		return;
	episode->said_ns = now_ns;
	episode->pause_ns =
		2 * episode->pause_ns < STALL_REMINDER_MAX_NS ? 2 * episode->pause_ns : STALL_REMINDER_MAX_NS;
	tell(data, STALL_LASTS, episode, finding);
}

static void begin(struct stall_episode *episodes, const struct stall_history *histories,
		  const struct stall_finding *finding, uint64_t now_ns, stall_tell *tell, void *data)
{
	for (size_t i = 0; i < STALL_FINDINGS_MAX; i++) {
		if (episodes[i].open)
			continue;
		episodes[i] = (struct stall_episode){ .open = true,
						      .kind = finding->kind,
						      .culprit = finding->culprit,
						      .generation = histories[finding->culprit].generation,
						      .since_ns = finding->since_ns,
						      .said_ns = now_ns,
						      .pause_ns = STALL_REMINDER_NS };
		tell(data, STALL_BEGAN, &episodes[i], finding);
		return;
	}
}

void stall_episodes_update(struct stall_episode episodes[static STALL_FINDINGS_MAX],
			   const struct stall_history *histories, const struct stall_finding *findings,
			   size_t n_findings, uint64_t now_ns, stall_tell *tell, void *data)
{
	for (size_t i = 0; i < STALL_FINDINGS_MAX; i++) {
		const struct stall_finding *finding =
			episodes[i].open ? find(&episodes[i], findings, n_findings) : NULL;

		if (finding)
			go_on(&episodes[i], finding, now_ns, tell, data);
		else if (episodes[i].open && has_ended(&episodes[i], &histories[episodes[i].culprit])) {
			episodes[i].open = false;
			tell(data, STALL_ENDED, &episodes[i], NULL);
		}
	}
	for (size_t i = 0; i < n_findings; i++)
		if (!is_known(episodes, &findings[i]))
			begin(episodes, histories, &findings[i], now_ns, tell, data);
}

size_t stall_episodes_open(const struct stall_episode episodes[static STALL_FINDINGS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < STALL_FINDINGS_MAX; i++)
		n += episodes[i].open;
	return n;
}
