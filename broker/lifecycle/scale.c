/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stage grows and shrinks while the pipeline runs. Its seats are all there; `open` says which of them are to work, always the first ones
 * that are not over. What is wanted is stored, and after each event the stage goes one step towards it, whatever has happened meanwhile:
 *
 *      grow     resting --> starting --> ready --> DEAL dealt                the producers give it its share from then on
 *      shrink   DEAL closed --> LOOK: producers have seen it --> LOOK: its lanes are empty, it does nothing
 *                           --> cancel (seat_ladder.c): it holds nothing --> dead --> resting
 *
 *      by key   grow first; then DEAL held to all --> LOOK: producers have seen it, lanes in and out are empty
 *                           --> DEAL dealt, or closed, to all: who has a key now sees its items after those that another has done
 *
 * Nobody is killed for it, and nobody is told to go before what lies in his lanes is done. If he dies on the way he is repaired, comes back
 * if he left anything, and goes on. A run (order: fifo) is dealt to one lane as a whole and taken by its ticket: that order needs nothing.
 * An edge that is held for 10 s and not empty is dealt to as before: a stage behind it is stuck, and it must not be stuck for that.
 *
 * A seat that can't be filled when its stage grows rests again after `intensity` tries more: a stage that works has not failed for that.
 */
#include "broker/lifecycle/lifecycle_priv.h"

#define LOOK_MIN_NS (2 * NS_PER_MS)
#define LOOK_MAX_NS (100 * NS_PER_MS)

static const char *const sentences[] = {
#define SCALE_REFUSAL(id_, name_, sentence_) sentence_,
#include "broker/lifecycle/scale_refusal.def"
#undef SCALE_REFUSAL
};

const char *scale_refusal_sentence(enum scale_refusal refusal)
{
	return (unsigned)refusal < SCALE_REFUSAL_COUNT ? sentences[refusal] : "?";
}

static uint64_t bit_of(const struct lifecycle *lifecycle, const struct life *life)
{
	return UINT64_C(1) << (life_number(lifecycle, life) - life_stage(lifecycle, life)->first_slot);
}

static struct life *life_at(const struct lifecycle *lifecycle, const struct plan_stage *plan, uint32_t worker)
{
	return &lifecycle->lives[plan->first_slot + worker];
}

static bool is_open(const struct lifecycle *lifecycle, const struct life *life)
{
	return lifecycle->stages[life->stage].open & bit_of(lifecycle, life);
}

uint32_t scale_open(const struct stage_life *stage)
{
	return (uint32_t)__builtin_popcountll(stage->open);
}

void scale_init(struct lifecycle *lifecycle, uint32_t number)
{
	const struct plan_stage *plan = &lifecycle->plan->stages[number];
	struct stage_life *stage = &lifecycle->stages[number];

	stage->wanted = plan->workers - plan->workers_resting;
	for (uint32_t i = 0; i < stage->wanted; i++)
		stage->open |= UINT64_C(1) << i;
	stage->open_before = stage->open;
	for (uint32_t i = stage->wanted; i < plan->workers; i++)
		life_at(lifecycle, plan, i)->dealing = DEALING_CLOSED;
}

/* ---- of the supervisor before ---- */

/*
 * Nobody lives who deals by anything, so a stage goes back to what was dealt by before a hold, and from there once more to what is wanted.
 */
void scale_inherit(struct lifecycle *lifecycle, uint32_t number, const struct legacy_stage *legacy)
{
	const struct plan_stage *plan = &lifecycle->plan->stages[number];
	struct stage_life *stage = &lifecycle->stages[number];
	uint64_t all = plan->workers < 64 ? (UINT64_C(1) << plan->workers) - 1 : UINT64_MAX;

	if (!(legacy->open & all))
		return; /* it says nothing */
	stage->open = legacy->open & all;
	stage->open_before = legacy->open_before & all;
	stage->wanted = legacy->wanted && legacy->wanted <= plan->workers ? legacy->wanted : scale_open(stage);
	stage->scaling = stage->asked = legacy->scaling;
	stage->look_ns = LOOK_MIN_NS;
}

void scale_inherit_seat(const struct lifecycle *lifecycle, struct life *life, const struct legacy_seat *legacy)
{
	bool was_dealt_to = lifecycle->stages[life->stage].open_before & bit_of(lifecycle, life);

	life->dealing = legacy->dealing;
	if (legacy->dealing == DEALING_HELD)
		life->dealing = was_dealt_to ? DEALING_DEALT : DEALING_CLOSED;
}

bool lifecycle_leaves_resting(const struct lifecycle *lifecycle, uint32_t seat)
{
	const struct life *life = &lifecycle->lives[seat];

	return life->state == SEAT_RESTING || (life->grows && life->dealing != DEALING_DEALT) ||
	       (life->state == SEAT_DONE && life->dealing == DEALING_CLOSED && !is_open(lifecycle, life));
}

/* ---- what is wanted ---- */

enum scale_refusal lifecycle_scale_refusal(const struct lifecycle *lifecycle, uint32_t seat, uint32_t n)
{
	const struct life *life = &lifecycle->lives[seat];
	const struct plan_stage *plan = life_stage(lifecycle, life);

	if (plan->unscalable)
		return SCALE_FIXED;
	if (n < plan->workers_min || n < 1)
		return SCALE_TOO_FEW;
	if (n > plan->workers)
		return SCALE_TOO_MANY;
	if (lifecycle->stages[life->stage].abandoned)
		return SCALE_STAGE_OVER;
	if (lifecycle->stages[life->stage].reloads)
		return SCALE_RELOADING;
	if (lifecycle->state == PIPELINE_STARTING)
		return SCALE_TOO_EARLY;
	return lifecycle->state == PIPELINE_RUNNING ? SCALE_POSSIBLE : SCALE_ENDING;
}

bool scale_begin(struct lifecycle *lifecycle, const struct life *of, uint32_t n)
{
	struct stage_life *stage = &lifecycle->stages[of->stage];

	if (lifecycle_scale_refusal(lifecycle, life_number(lifecycle, of), n) != SCALE_POSSIBLE)
		return false;
	stage->wanted = n;
	stage->scaling = stage->asked = true;
	stage->look_ns = LOOK_MIN_NS;
	return true;
}

/* The first ones that are not over. */
static uint64_t first_seats(const struct lifecycle *lifecycle, const struct plan_stage *plan, uint32_t n)
{
	uint64_t open = 0;

	for (uint32_t i = 0; n && i < plan->workers; i++)
		if (!seat_state_over(life_at(lifecycle, plan, i)->state)) {
			open |= UINT64_C(1) << i;
			n--;
		}
	return open;
}

/* ---- who is dealt to ---- */

static void deal(struct lifecycle *lifecycle, struct life *life, enum dealing dealing)
{
	if (life->dealing == dealing)
		return;
	life->dealing = dealing;
	life->unfed = false;
	if (dealing == DEALING_DEALT)
		life->grows = false;
	act(lifecycle, ACTION_DEAL, life)->value = (int)dealing;
	lifecycle->stages[life->stage].news = true;
}

/* What was seen before is of another board. */
static void announce(struct lifecycle *lifecycle, struct stage_life *stage, const struct life *life)
{
	if (!stage->news)
		return;
	stage->news = false;
	stage->seen = (struct scale_facts){ 0 };
	stage->look_ns = LOOK_MIN_NS;
	act(lifecycle, ACTION_ANNOUNCE, life);
}

void scale_post(struct lifecycle *lifecycle)
{
	bool any = false;

	for (uint32_t i = 0; i < lifecycle->plan->n_slots; i++) {
		const struct life *life = &lifecycle->lives[i];
		bool may_be_old = lifecycle->goes_on && !life_stage(lifecycle, life)->unscalable;

		if (seat_state_over(life->state) || (life->dealing == DEALING_DEALT && !may_be_old))
			continue;
		act(lifecycle, ACTION_DEAL, life)->value = (int)life->dealing;
		any = true;
	}
	if (any)
		act(lifecycle, ACTION_ANNOUNCE, lifecycle->lives);
}

/* Somebody sits there who can take items, or did and will be replaced. */
static bool may_be_dealt_to(const struct life *life)
{
	return life->state != SEAT_RESTING && (!life->grows || life->state == SEAT_READY);
}

static bool all_open_ready(const struct lifecycle *lifecycle, const struct plan_stage *plan)
{
	for (uint32_t i = 0; i < plan->workers; i++) {
		const struct life *life = life_at(lifecycle, plan, i);

		if (is_open(lifecycle, life) && !seat_state_over(life->state) && !may_be_dealt_to(life))
			return false;
	}
	return true;
}

static bool deals_as_wanted(const struct lifecycle *lifecycle, const struct plan_stage *plan)
{
	for (uint32_t i = 0; i < plan->workers; i++) {
		const struct life *life = life_at(lifecycle, plan, i);

		if (!seat_state_over(life->state) &&
		    life->dealing != (is_open(lifecycle, life) ? DEALING_DEALT : DEALING_CLOSED))
			return false;
	}
	return true;
}

/* Whoever has no key to keep the order of is dealt to as he comes, and closed while others are there. */
static void deal_freely(struct lifecycle *lifecycle, const struct plan_stage *plan)
{
	for (uint32_t i = 0; i < plan->workers; i++) {
		struct life *life = life_at(lifecycle, plan, i);

		if (seat_state_over(life->state))
			continue;
		if (!is_open(lifecycle, life))
			deal(lifecycle, life, DEALING_CLOSED);
		else if (may_be_dealt_to(life))
			deal(lifecycle, life, DEALING_DEALT);
	}
}

static void deal_all(struct lifecycle *lifecycle, const struct plan_stage *plan, bool held)
{
	for (uint32_t i = 0; i < plan->workers; i++) {
		struct life *life = life_at(lifecycle, plan, i);

		if (seat_state_over(life->state))
			continue;
		deal(lifecycle, life, held ? DEALING_HELD : is_open(lifecycle, life) ? DEALING_DEALT : DEALING_CLOSED);
	}
}

static void deal_by_key(struct lifecycle *lifecycle, struct stage_life *stage, const struct plan_stage *plan,
			uint64_t now_ns)
{
	if (!stage->held_until_ns) {
		if (deals_as_wanted(lifecycle, plan) || !all_open_ready(lifecycle, plan))
			return;
		stage->held_until_ns = now_ns + SCALE_HOLD_NS;
		deal_all(lifecycle, plan, true);
	} else if (stage->seen.dealt && stage->seen.empty) {
		stage->held_until_ns = 0;
		stage->open_before = stage->open;
		deal_all(lifecycle, plan, false);
	}
}

static void hold_over(struct lifecycle *lifecycle, struct stage_life *stage, const struct plan_stage *plan)
{
	stage->held_until_ns = 0;
	stage->open = stage->open_before & first_seats(lifecycle, plan, plan->workers);
	if (!stage->asked)
		stage->wanted = scale_open(stage);
	act(lifecycle, ACTION_SAY_NOT_SCALED, life_at(lifecycle, plan, 0))->value = (int)scale_open(stage);
	deal_all(lifecycle, plan, false);
}

/* ---- who comes, and who goes ---- */

/* Not beside siblings that are being stopped: those come back together, and nobody before. */
static void fill(struct lifecycle *lifecycle, const struct plan_stage *plan, uint64_t now_ns)
{
	for (uint32_t i = 0; !lifecycle->n_stopping && i < plan->workers; i++) {
		struct life *life = life_at(lifecycle, plan, i);

		if (!is_open(lifecycle, life) || life->state != SEAT_RESTING)
			continue;
		life->grows = true;
		life->failures = 0;
		life_spawn(lifecycle, life, now_ns);
	}
}

/* All that was dealt to them is done: they are idle. */
static void dismiss(struct lifecycle *lifecycle, const struct stage_life *stage, const struct plan_stage *plan,
		    uint64_t now_ns)
{
	for (uint32_t i = 0; i < plan->workers; i++) {
		struct life *life = life_at(lifecycle, plan, i);

		if (is_open(lifecycle, life) || life->dealing != DEALING_CLOSED)
			continue;
		life->unfed = life->unfed || stage->seen.dealt;
		if (life->state != SEAT_READY || !stage->seen.dealt || !(stage->seen.idle & UINT64_C(1) << i))
			continue;
		life->restart_ns = now_ns;
		life->stopped_for = NO_SEAT;
		life->dismissed = true;
		seat_ladder_begin(lifecycle, life, CAUSE_CONFIG, "scale", now_ns);
	}
}

static bool is_as_wanted(const struct lifecycle *lifecycle, const struct plan_stage *plan)
{
	for (uint32_t i = 0; i < plan->workers; i++) {
		const struct life *life = life_at(lifecycle, plan, i);

		if (seat_state_over(life->state))
			continue;
		if (is_open(lifecycle, life) ? life->dealing != DEALING_DEALT : life->state != SEAT_RESTING)
			return false;
	}
	return true;
}

/* Only memory can tell whether producers have seen the board, and who is idle. */
static bool wants_look(const struct lifecycle *lifecycle, const struct stage_life *stage, const struct plan_stage *plan)
{
	if (stage->held_until_ns)
		return true;
	for (uint32_t i = 0; i < plan->workers; i++) {
		const struct life *life = life_at(lifecycle, plan, i);

		if (!is_open(lifecycle, life) && life->state != SEAT_RESTING && life->state != SEAT_STOPPING &&
		    !seat_state_over(life->state))
			return true;
	}
	return false;
}

static void advance(struct lifecycle *lifecycle, struct stage_life *stage, const struct plan_stage *plan,
		    uint64_t now_ns)
{
	struct life *first = life_at(lifecycle, plan, 0);

	if (stage->asked && !stage->held_until_ns) {
		stage->asked = false;
		stage->open = first_seats(lifecycle, plan, stage->wanted);
	}
	fill(lifecycle, plan, now_ns);
	if (plan->balance == HERITAGE_BALANCE_KEY)
		deal_by_key(lifecycle, stage, plan, now_ns);
	else
		deal_freely(lifecycle, plan);
	announce(lifecycle, stage, first);
	dismiss(lifecycle, stage, plan, now_ns);
	stage->seen = (struct scale_facts){ 0 };
	if (!stage->held_until_ns && !stage->asked && is_as_wanted(lifecycle, plan)) {
		stage->scaling = false;
		stage->open_before = stage->open;
		act(lifecycle, ACTION_SAY_SCALED, first)->value = (int)scale_open(stage);
	}
	if (!stage->scaling || !wants_look(lifecycle, stage, plan))
		stage->look_due_ns = 0;
	else if (!stage->look_due_ns)
		stage->look_due_ns = now_ns + stage->look_ns;
}

/* Its stand-ins take what comes, whoever it was dealt to; nothing is held back from them. */
static void abandon(struct lifecycle *lifecycle, struct stage_life *stage, const struct plan_stage *plan)
{
	stage->scaling = false;
	stage->look_due_ns = 0;
	if (stage->held_until_ns) {
		stage->held_until_ns = 0;
		stage->open = stage->open_before;
		deal_all(lifecycle, plan, false);
	}
	announce(lifecycle, stage, life_at(lifecycle, plan, 0));
}

/* ---- the end of seats that rest ---- */

static bool is_over(const struct lifecycle *lifecycle, const struct plan_stage *plan, bool but_resting)
{
	for (uint32_t i = 0; i < plan->workers; i++) {
		enum seat_state state = life_at(lifecycle, plan, i)->state;

		if (!seat_state_over(state) && !(but_resting && state == SEAT_RESTING))
			return false;
	}
	return true;
}

/* Nobody will deal anything to its seats any more: those who would are over, or those who were dealt to are. */
static bool has_ended(const struct lifecycle *lifecycle, const struct plan_stage *plan)
{
	bool over = lifecycle->restarts_off || is_over(lifecycle, plan, true);

	if (over)
		return true;
	for (uint32_t i = 0; i < plan->n_inputs; i++) {
		const struct plan_edge *edge = &lifecycle->plan->edges[plan->inputs[i]];

		if (!is_over(lifecycle, &lifecycle->plan->stages[edge->from], false))
			return false;
	}
	return plan->n_inputs > 0;
}

/* Who reads from them waits for their end, and there is nobody to say it. */
static void end_resting(struct lifecycle *lifecycle, const struct plan_stage *plan)
{
	for (uint32_t i = 0; i < plan->workers; i++) {
		struct life *life = life_at(lifecycle, plan, i);

		if (life->state != SEAT_RESTING)
			continue;
		act(lifecycle, ACTION_CLOSE, life);
		life_must_move(lifecycle, life, SEAT_EVENT_END);
	}
}

void scale_settle(struct lifecycle *lifecycle, uint64_t now_ns)
{
	for (uint32_t i = 0; i < lifecycle->plan->n_stages; i++) {
		struct stage_life *stage = &lifecycle->stages[i];
		const struct plan_stage *plan = &lifecycle->plan->stages[i];

		if (stage->scaling && (stage->abandoned || lifecycle->restarts_off))
			abandon(lifecycle, stage, plan);
		else if (stage->scaling)
			advance(lifecycle, stage, plan, now_ns);
		if (lifecycle->n_resting && !stage->scaling && has_ended(lifecycle, plan))
			end_resting(lifecycle, plan);
	}
}

/* ---- what happens on the way ---- */

uint64_t scale_due_ns(const struct lifecycle *lifecycle)
{
	uint64_t due_ns = 0;

	for (uint32_t i = 0; i < lifecycle->plan->n_stages; i++) {
		const struct stage_life *stage = &lifecycle->stages[i];

		if (stage->look_due_ns && (!due_ns || stage->look_due_ns < due_ns))
			due_ns = stage->look_due_ns;
	}
	return due_ns;
}

void scale_due(struct lifecycle *lifecycle, uint64_t due_ns)
{
	for (uint32_t i = 0; i < lifecycle->plan->n_stages; i++) {
		struct stage_life *stage = &lifecycle->stages[i];

		if (stage->look_due_ns != due_ns)
			continue;
		stage->look_due_ns = 0;
		act(lifecycle, ACTION_LOOK, life_at(lifecycle, &lifecycle->plan->stages[i], 0));
		return;
	}
}

void scale_looked(struct lifecycle *lifecycle, const struct life *of, const struct scale_facts *facts, uint64_t now_ns)
{
	struct stage_life *stage = &lifecycle->stages[of->stage];

	if (!stage->scaling)
		return;
	stage->seen = *facts;
	stage->look_ns = stage->look_ns * 2 < LOOK_MAX_NS ? stage->look_ns * 2 : LOOK_MAX_NS;
	if (stage->held_until_ns && stage->held_until_ns <= now_ns && !(facts->dealt && facts->empty))
		hold_over(lifecycle, stage, life_stage(lifecycle, of));
}

static void rest(struct lifecycle *lifecycle, struct life *life)
{
	life->generation++;
	life->due_ns = 0;
	life->grows = false;
	life_must_move(lifecycle, life, SEAT_EVENT_REST);
}

bool scale_rests(struct lifecycle *lifecycle, struct life *life, const struct memory_facts *memory)
{
	if (lifecycle->restarts_off || lifecycle->stages[life->stage].abandoned || !life->dismissed || !life->unfed ||
	    !memory->idle || is_open(lifecycle, life))
		return false; /* who died by himself may have begun what no lane shows */
	if (life->death.ended && !life->death.cancelled)
		return false; /* its stream has ended: it has closed its lanes, and that was all */
	act(lifecycle, ACTION_SAY_RESTS, life);
	rest(lifecycle, life);
	act(lifecycle, ACTION_RING, life);
	return true;
}

bool scale_growth_failed(struct lifecycle *lifecycle, struct life *life, const struct event *event, uint64_t now_ns)
{
	struct stage_life *stage = &lifecycle->stages[life->stage];

	if (!life->grows || life->was_ready || lifecycle->restarts_off || stage->abandoned)
		return false;
	if (++life->failures <= stage->policy.intensity && is_open(lifecycle, life) &&
	    life_stage(lifecycle, life)->restart_type != PLAN_TEMPORARY) {
		life->restart_ns = now_ns + restart_backoff_ns(&stage->policy, life->failures, event->chance);
		succession_back_off(lifecycle, life);
		return true;
	}
	if (is_open(lifecycle, life)) {
		act(lifecycle, ACTION_SAY_NOT_GROWN, life)->value =
			event->kind == EVENT_SPAWN_FAILED ? event->error : 0;
		stage->wanted = scale_open(stage) - 1;
		stage->open &= ~bit_of(lifecycle, life);
	}
	rest(lifecycle, life);
	return true;
}
