// SPDX-License-Identifier: Apache-2.0
// The dashboard. Everything comes from /api, once a second; names and reasons become text nodes, never markup.
"use strict";

const PERIOD_MS = 1000;
const SLOW_EVERY = 3; // letters, latency: each third time
const FRESH_MS = 10000; // a worker that was replaced is marked for so long
const COLUMNS = 30; // of the heat map
const SVG = "http://www.w3.org/2000/svg";

const state = { plan: null, before: null, chosen: null, opener: null, generations: new Map(), fresh: new Map(), heat: new Map(), round: 0, failed: 0, seenEvent: 0 };

const find = (id) => document.getElementById(id);

function make(name, attributes = {}, ...children) {
	const node = ["svg", "g", "rect", "path", "text", "title"].includes(name) ? document.createElementNS(SVG, name) : document.createElement(name);
	for (const [key, value] of Object.entries(attributes))
		node.setAttribute(key, value);
	node.append(...children);
	return node;
}

async function get(path) {
	const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(5000) });
	const body = await answer.json();
	if (!answer.ok)
		throw new Error(body.error || answer.statusText);
	return body;
}

// ---- words

function bytes(n) {
	for (const unit of ["B", "KiB", "MiB", "GiB"]) {
		if (n < 1024 || unit === "GiB")
			return `${n < 10 && unit !== "B" ? n.toFixed(1) : Math.round(n)} ${unit}`;
		n /= 1024;
	}
}

function rate(n) {
	return n === null ? "–" : n < 10 ? n.toFixed(1) : Math.round(n).toLocaleString("en");
}

function seconds(s) {
	return s < 60 ? `${s.toFixed(1)} s` : s < 3600 ? `${Math.floor(s / 60)} min` : `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
}

// A bound of a histogram, in as few digits as it has: 0.000016384 is "16 µs".
function bound(s) {
	const [size, unit] = s < 1e-6 ? [1e9, "ns"] : s < 1e-3 ? [1e6, "µs"] : s < 1 ? [1e3, "ms"] : [1, "s"];
	return `${Number((s * size).toPrecision(2))} ${unit}`;
}

// ---- what follows from two looks

const DOWN = new Set(["dead", "restarting", "retired", "stopped", "lost"]);

function busy(worker, past, span) {
	if (!past || past.generation !== worker.generation || span <= 0 || worker.state === "resting")
		return null;
	if (worker.state === "wait-ext") // how long it has waited outside in this time is not counted
		return worker.state_seconds >= span ? 0 : null;
	if ((worker.state === "wait-in" || worker.state === "wait-out") && worker.state_seconds >= span)
		return 0;
	const waited = worker.wait_in_seconds + worker.wait_out_seconds - past.wait_in_seconds - past.wait_out_seconds;
	return Math.max(0, Math.min(1, 1 - waited / span));
}

function stageRate(now, before, name, line) {
	const past = before && before.stages.find((stage) => stage.name === name);
	const span = before ? now.clock_seconds - before.clock_seconds : 0;
	const present = now.stages.find((stage) => stage.name === name);
	return past && span > 0 ? Math.max(0, (present.ledger[line] - past.ledger[line]) / span) : null;
}

function noteGenerations(now) {
	for (const stage of now.stages)
		for (const worker of stage.workers) {
			const past = state.generations.get(worker.slot);
			if (past !== undefined && past !== worker.generation)
				state.fresh.set(worker.slot, performance.now() + FRESH_MS);
			state.generations.set(worker.slot, worker.generation);
		}
}

const isFresh = (worker) => (state.fresh.get(worker.slot) || 0) > performance.now();

function health(stage) {
	const down = stage.workers.filter((worker) => DOWN.has(worker.state)).length;
	const replaced = stage.workers.filter(isFresh).length;
	if (down)
		return ["bad", `${down} of ${stage.workers.length} down`];
	if (replaced)
		return ["warn", replaced === 1 ? "1 worker was replaced" : `${replaced} workers were replaced`];
	return ["good", "well"];
}

// ---- the graph: columns by the longest way from a source

function columnsOf(plan) {
	const depth = new Map(plan.stages.map((stage) => [stage.name, 0]));
	for (let i = 0; i < plan.stages.length; i++)
		for (const edge of plan.edges)
			if (!edge.feedback)
				depth.set(edge.to, Math.max(depth.get(edge.to), depth.get(edge.from) + 1));
	return depth;
}

const BOX = { width: 170, gap: 70, row: 24, head: 48, per: 5 };

function layout(plan) {
	const depth = columnsOf(plan), bottom = new Map(), places = new Map();
	for (const stage of plan.stages) {
		const column = depth.get(stage.name), y = bottom.get(column) || 10;
		const height = BOX.head + Math.ceil(stage.workers / BOX.per) * (BOX.row + 4) + 8;
		places.set(stage.name, { x: 10 + column * (BOX.width + BOX.gap), y, height });
		bottom.set(column, y + height + 24);
	}
	return { places, width: 20 + (Math.max(0, ...depth.values()) + 1) * (BOX.width + BOX.gap) - BOX.gap, height: Math.max(60, ...bottom.values()) };
}

function drawEdges(svg, plan, places) {
	plan.edges.forEach((edge, i) => {
		const from = places.get(edge.from), to = places.get(edge.to);
		const x1 = from.x + BOX.width, y1 = from.y + 24, x2 = to.x, y2 = to.y + 24, middle = (x1 + x2) / 2;
		const title = make("title", {}, `${edge.from} to ${edge.to}`);
		svg.append(make("path", { class: "edge", id: `edge-${i}`, d: `M${x1} ${y1} C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}` }, title));
		svg.append(make("text", { class: "quiet", id: `edge-text-${i}`, x: Math.min(x1, x2) + 6, y: (y1 + y2) / 2 - 8 }, ""));
	});
}

function drawWorker(box, stage, index, x, y) {
	const slot = stage.first_slot + index;
	const node = make("g", { class: "worker", id: `worker-${slot}`, role: "button", tabindex: "0" },
		make("rect", { x, y, width: 28, height: BOX.row, rx: 3 }), make("text", { x: x + 14, y: y + 17, "text-anchor": "middle", "aria-hidden": "true" }, String(index)));
	node.addEventListener("click", () => choose(slot, node));
	node.addEventListener("keydown", (event) => {
		if (event.key === "Enter" || event.key === " ") {
			event.preventDefault();
			choose(slot, node);
		}
	});
	box.append(node);
}

function drawGraph(plan) {
	const { places, width, height } = layout(plan);
	const svg = make("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": `${plan.stages.length} stages, ${plan.edges.length} edges` });
	drawEdges(svg, plan, places);
	for (const stage of plan.stages) {
		const place = places.get(stage.name);
		const box = make("g", { role: "group", "aria-label": `Stage ${stage.name}` }, make("rect", { class: "box", x: place.x, y: place.y, width: BOX.width, height: place.height, rx: 6 }),
			make("text", { x: place.x + 10, y: place.y + 20 }, stage.name.length > 18 ? `${stage.name.slice(0, 17)}…` : stage.name),
			make("text", { class: "quiet", id: `rate-${stage.name}`, x: place.x + 10, y: place.y + 37 }, stage.kind));
		for (let i = 0; i < stage.workers; i++)
			drawWorker(box, stage, i, place.x + 8 + (i % BOX.per) * 31, place.y + BOX.head + Math.floor(i / BOX.per) * (BOX.row + 4));
		svg.append(box);
	}
	find("graph").replaceChildren(svg);
}

function paintWorker(stage, worker) {
	const node = find(`worker-${worker.slot}`);
	const fresh = isFresh(worker), down = DOWN.has(worker.state);
	node.setAttribute("class", `worker${worker.state === "busy" ? " busy" : ""}${down ? " down" : ""}${worker.state === "resting" ? " resting" : ""}${fresh ? " fresh" : ""}`);
	node.setAttribute("aria-label", `Worker ${stage.name} ${worker.index}: ${worker.state}, generation ${worker.generation}${fresh ? ", just replaced" : ""}`);
}

function paintGraph(now) {
	for (const stage of now.stages) {
		stage.workers.forEach((worker) => paintWorker(stage, worker));
		const out = stageRate(now, state.before, stage.name, stage.ledger.emitted ? "emitted" : "delivered");
		find(`rate-${stage.name}`).textContent = `${rate(out)} items/s`;
	}
	now.edges.forEach((edge, i) => {
		const share = edge.capacity_bytes ? edge.bytes / edge.capacity_bytes : 0;
		find(`edge-${i}`).style.strokeWidth = 1.5 + 9 * share;
		find(`edge-text-${i}`).textContent = `${Math.round(100 * share)} %`;
	});
}

// ---- tables

function row(head, ...cells) {
	const line = make("tr", {}, make("th", { scope: "row" }, head));
	for (const [text, kind] of cells)
		line.append(make("td", kind ? { class: kind } : {}, text));
	return line;
}

function paintStages(now) {
	find("stages").tBodies[0].replaceChildren(...now.stages.map((stage) => {
		const [kind, words] = health(stage);
		const takes = stageRate(now, state.before, stage.name, stage.ledger.taken ? "taken" : "accepted");
		const gives = stageRate(now, state.before, stage.name, stage.ledger.emitted ? "emitted" : "delivered");
		const restarts = stage.workers.reduce((sum, worker) => sum + worker.restarts, 0);
		return row(stage.name, [`${stage.workers.filter((worker) => worker.pid).length}/${stage.workers.length}`], [words, kind], [rate(takes), "n"], [rate(gives), "n"], [String(restarts), "n"]);
	}));
}

function paintEdges(now) {
	find("edges").tBodies[0].replaceChildren(...now.edges.map((edge) => {
		const percent = edge.capacity_bytes ? Math.round((100 * edge.bytes) / edge.capacity_bytes) : 0;
		const inner = make("span");
		inner.style.width = `${percent}%`;
		const bar = make("span", { class: "bar", "aria-hidden": "true" }, inner), cell = make("td", {}, bar, ` ${percent} %`);
		const line = row(`${edge.from} → ${edge.to}`, [bytes(edge.bytes), "n"], [bytes(edge.capacity_bytes), "n"]);
		line.children[0].after(cell);
		return line;
	}));
}

function paintHeat(now) {
	const span = state.before ? now.clock_seconds - state.before.clock_seconds : 0;
	const past = new Map((state.before ? state.before.stages : []).flatMap((stage) => stage.workers.map((worker) => [worker.slot, worker])));
	const rows = [];
	for (const stage of now.stages)
		for (const worker of stage.workers) {
			const cells = state.heat.get(worker.slot) || [];
			cells.push(busy(worker, past.get(worker.slot), span));
			if (cells.length > COLUMNS)
				cells.shift();
			state.heat.set(worker.slot, cells);
			if (rows.length < 128) // more is no picture any more
				rows.push(heatRow(`${stage.name}#${worker.index}`, cells));
		}
	find("heat").tBodies[0].replaceChildren(...rows);
}

function heatRow(name, cells) {
	const last = cells[cells.length - 1];
	const line = make("tr", {}, make("th", { scope: "row" }, name), make("th", { scope: "row" }, last === null ? "–" : `${Math.round(100 * last)} %`));
	for (let i = 0; i < COLUMNS; i++) {
		const share = cells[cells.length - COLUMNS + i];
		const cell = make("td", { "aria-hidden": "true" });
		if (share !== undefined && share !== null)
			cell.style.background = `rgba(var(--heat), ${(0.08 + 0.92 * share).toFixed(2)})`;
		line.append(cell);
	}
	return line;
}

// Any histogram of a stage in seconds: buckets are cumulative.
function paintLatency(metrics) {
	const found = metrics.filter((metric) => metric.unit === "seconds" && metric.samples.some((sample) => sample.buckets && sample.labels.stage && sample.count > 0));
	const rows = [];
	let bounds = [];
	for (const metric of found)
		for (const sample of metric.samples.filter((one) => one.count > 0)) {
			const pick = sample.buckets.filter((_, i) => i % Math.ceil(sample.buckets.length / 14) === 0);
			bounds = bounds.length ? bounds : pick.map((bucket) => bucket.le);
			const line = row(`${metric.name.replace(/^weir_|_seconds$/g, "")} ${sample.labels.stage}`);
			pick.forEach((bucket) => {
				const share = bucket.count / sample.count, cell = make("td", {}, `${Math.round(100 * share)}`);
				cell.style.background = `rgba(var(--heat), ${(0.3 * share).toFixed(2)})`;
				line.append(cell);
			});
			rows.push(line);
		}
	find("latency").hidden = !rows.length;
	find("latencies").tHead.replaceChildren(make("tr", {}, make("th", { scope: "col" }, "within, in %"), ...bounds.map((s) => make("th", { scope: "col", class: "n" }, bound(Number(s))))));
	find("latencies").tBodies[0].replaceChildren(...rows);
}

function paintLedger(now) {
	find("ledger").replaceChildren(...Object.entries(now.ledger).filter(([, n]) => n > 0).flatMap(([line, n]) => [make("dt", {}, line.replaceAll("_", " ")), make("dd", {}, n.toLocaleString("en"))]));
}

function eventText(event) {
	const who = event.stage ? `${event.stage}${event.worker === undefined ? "" : `#${event.worker}`}: ` : "";
	const amount = { replaced: ` (generation ${event.amount})`, letters: ` (${event.amount})`, rejected: ` (${event.amount})`, reloaded: ` (number ${event.amount})` }[event.kind] || "";
	return `${new Date(1000 * event.time).toLocaleTimeString()} ${who}${event.summary}${amount}`;
}

// Only what is new is added, so that a screen reader says only that.
function paintEvents(events) {
	const list = find("events");
	if (events.length && events[0].number < state.seenEvent) {
		list.replaceChildren();
		state.seenEvent = 0;
	}
	for (const event of events.filter((one) => one.number > state.seenEvent).reverse()) {
		list.prepend(make("li", { "data-kind": event.kind }, eventText(event)));
		state.seenEvent = event.number;
	}
	while (list.children.length > 100)
		list.lastChild.remove();
}

function paintWhy(why) {
	const items = (why.findings || []).map((finding) => make("li", { class: "bad" }, `${finding.sentence} ${finding.advice || ""}`));
	const text = items.map((item) => item.textContent).join("\n"), list = find("why");
	if (list.dataset.text !== text)
		list.replaceChildren(...(items.length ? items : [make("li", {}, "Nothing.")]));
	list.dataset.text = text;
}

function paintLetters(letters) {
	find("letters-count").textContent = letters.error || (letters.n === 0 ? "None." : letters.n === 1 ? "1 letter." : `${letters.n} letters; the newest ${letters.letters.length}:`);
	find("letters").tBodies[0].replaceChildren(...letters.letters.map((letter) => row(String(letter.id), [letter.stage], [letter.cause], [letter.reason], [letter.time])));
}

// ---- one worker

function choose(slot, opener) {
	state.chosen = slot;
	state.opener = opener;
	drill().then(() => find("drill-heading").focus());
}

function close() {
	state.chosen = null;
	find("drill").hidden = true;
	if (state.opener)
		find(state.opener.id)?.focus();
}

function definitions(pairs) {
	return make("dl", {}, ...pairs.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

function laneRows(lanes, near) {
	return lanes.slice(0, 64).map((lane) => row(near === "from" ? `${lane.from}#${lane.from_index}` : `${lane.to}#${lane.to_index}`, [bytes(lane.bytes), "n"], [bytes(lane.capacity_bytes), "n"]));
}

function laneTable(caption, lanes, near) {
	return lanes.length ? [make("table", {}, make("caption", {}, caption), make("tbody", {}, ...laneRows(lanes, near)))] : [];
}

async function drill() {
	if (state.chosen === null)
		return;
	const worker = await get(`api/worker/${state.chosen}`);
	const at = worker.waits_at ? ` at ${worker.waits_at.from}#${worker.waits_at.from_index} → ${worker.waits_at.to}#${worker.waits_at.to_index}` : "";
	find("drill-heading").textContent = `Worker ${worker.stage}#${worker.index}`;
	find("drill-body").replaceChildren(definitions([["state", `${worker.state} for ${seconds(worker.state_seconds)}`], ["process", worker.pid ? String(worker.pid) : "none"], ["generation", String(worker.generation)], ["restarts", String(worker.restarts)],
		["waits for", worker.waits_for.length ? worker.waits_for.join(", ") + at : "nothing"], ["in hand", worker.in_hand ? `item ${worker.in_hand.sequence}${worker.in_hand.from ? ` from ${worker.in_hand.from}` : ""}` : "nothing"],
		...Object.entries(worker.counters).map(([name, value]) => [name.replace(/_ns$/, "").replaceAll("_", " "), name.endsWith("_ns") ? seconds(value / 1e9) : value.toLocaleString("en")])]),
	...laneTable("Inputs", worker.inputs, "from"), ...laneTable("Outputs", worker.outputs, "to"));
	find("drill").hidden = false;
}

// ---- the round

function paintHead(now) {
	const phase = now.seen === "open" ? (now.supervisor ? now.supervisor.phase : "no answer") : now.seen;
	const badge = find("phase");
	if (badge.textContent !== phase)
		badge.textContent = phase;
	badge.className = `badge ${phase === "running" ? "good" : "warn"}`;
	document.title = `${now.pipeline}: ${phase}`;
	find("title").textContent = now.pipeline;
	find("facts").textContent = `${state.plan.spec}${now.supervisor ? `, up ${seconds(now.supervisor.uptime_seconds)}, supervisor ${now.supervisor.pid}` : ""}`;
	trouble(now.seen === "open" ? now.unknown : now.seen === "ended" ? "The run is over; these are its last figures." : "The supervisor is gone; these are the last figures.");
}

function trouble(words) {
	const node = find("trouble");
	if (node.textContent !== words)
		node.textContent = words;
	node.hidden = !words;
}

async function slowRound() {
	paintLetters(await get("api/letters"));
	paintWhy(await get("api/why"));
	paintLatency((await get("api/metrics")).metrics);
}

async function round() {
	const now = await get("api/now");
	if (!state.plan || state.plan.generation !== now.generation || state.plan.stages.length !== now.stages.length) {
		state.plan = await get("api/plan");
		drawGraph(state.plan);
	}
	if (state.before && now.clock_seconds < state.before.clock_seconds)
		state.before = null;
	noteGenerations(now);
	paintHead(now);
	paintGraph(now);
	paintStages(now);
	paintEdges(now);
	paintHeat(now);
	paintLedger(now);
	state.before = now;
	paintEvents((await get("api/events")).events);
	await drill();
	if (state.round++ % SLOW_EVERY === 0 && now.seen === "open")
		await slowRound();
	state.failed = 0;
}

async function turn() {
	try {
		await round();
	} catch (error) {
		if (++state.failed > 1) {
			find("phase").textContent = "no answer";
			find("phase").className = "badge bad";
			trouble(`The console does not answer, or the pipeline is gone: ${error.message}`);
		}
	}
	document.documentElement.dataset.rounds = state.round;
	setTimeout(turn, PERIOD_MS);
}

find("drill-close").addEventListener("click", close);
document.addEventListener("keydown", (event) => {
	if (event.key === "Escape" && state.chosen !== null)
		close();
});
turn();
