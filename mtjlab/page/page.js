// The live page: follows one run, shows wafer, die, cell and log, and asks what a person wants of the run.

import { binColours } from "./colours.js";
import { DieMap } from "./die.js";
import { showIdle } from "./idle.js";
import { Wafer } from "./wafer.js";
import { GOING, PHASES, clock, element, entry, lasting, micro, row, until, when } from "./words.js";

const $ = (id) => document.getElementById(id);
const state = { run: null, fixed: null, dies: new Map(), events: [], now: {}, die: null, visit: null, cell: null, token: null, shown: "", marked: null };
let source = null;

const wafer = new Wafer($("wafer"), (x, y) => go({ die: [x, y], cell: null }));
const map = new DieMap($("map"), $("scale"), $("pointed"), (cell) => go({ cell }));

// talking with the server

async function ask(path, body) {
  const options = body ? { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) } : {};
  const answer = await fetch(path, options);
  if (answer.status === 401) location.assign("/login");
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  return told;
}
const api = (rest) => `/api/runs/${encodeURIComponent(state.run)}${rest}`;
const tell = (text) => { $("told").textContent = text; };

function follow() {
  source?.close();
  source = new EventSource(api("/live"));
  source.addEventListener("whole", (event) => takeWhole(JSON.parse(event.data)));
  source.addEventListener("changes", (event) => takeChanges(JSON.parse(event.data)));
  source.onopen = () => linked(true);
  source.onerror = () => {
    linked(false);
    if (source.readyState === EventSource.CLOSED) setTimeout(() => { if (state.run) ask("/api/runs").then(follow, () => source.onerror()); }, 2000);
  };
}
function linked(is, why = "no connection; trying again. The run goes on by itself") {
  $("link").textContent = is ? "live" : why;
  $("link").classList.toggle("lost", !is);
}

function takeWhole(told) {
  state.fixed = told.fixed;
  state.dies = new Map();
  state.events = [];
  $("log").replaceChildren();
  state.colours = binColours(told.fixed.hard_bin_names, told.fixed.passing_bins);
  wafer.lay(told.dies, told.fixed.signs);
  $("wafer-name").textContent = `Wafer ${told.fixed.wafer}${told.fixed.lot ? `, lot ${told.fixed.lot}` : ""}`;
  document.title = `${told.fixed.wafer}: mtjlab`;
  facts();
  takeChanges(told);
}

function takeChanges(told) {
  if (!state.fixed) return;
  if (told.problem) return linked(false, `the run cannot be read: ${told.problem}`);
  linked(true);
  performance.mark("began");
  for (const die of told.dies) {
    state.dies.set(`${die.x},${die.y}`, die);
    wafer.show(die, state.colours, binName, state.fixed.passing_bins);
  }
  const last = state.events.at(-1)?.seq ?? 0;
  const fresh = told.events.filter((event) => event.seq > last);
  state.events = [...state.events, ...fresh].slice(-1000);
  state.now = told;
  banner();
  bins();
  controls();
  if (fresh.length) log(fresh);
  const current = told.current;
  wafer.mark(state.die && state.die.join(), current ? `${current[0]},${current[1]}` : null);
  if (!state.die && current) go({ die: [current[0], current[1]], cell: null, follows: true });
  else if (state.follows && current && state.die.join() !== `${current[0]},${current[1]}` && hasEnded()) go({ die: [current[0], current[1]], cell: null, follows: true });
  else if (state.die && (told.dies.some((die) => `${die.x},${die.y}` === state.die.join()) || fresh.some((event) => event.kind === "kept"))) showDie();
  took("update");
}
function took(what) {
  performance.measure(what, "began");
  performance.clearMarks("began");
  if (performance.getEntriesByName(what).length > 500) performance.clearMeasures(what);
}
const hasEnded = () => state.events.some((event) => event.kind === "kept" && event.attempt === state.now.current[2]);

// where one is: #/run/x,y/kernel,row,col

function go(change) {
  state.follows = change.follows ?? ("die" in change ? false : state.follows);
  Object.assign(state, change);
  const rest = [state.die?.join(), state.cell?.join()].filter(Boolean).map((part) => `/${part}`).join("");
  history.replaceState(null, "", `#/${state.run ?? ""}${rest}`);
  wafer.mark(state.die && state.die.join(), state.now.current ? `${state.now.current[0]},${state.now.current[1]}` : null);
  if ("die" in change) showDie();
  else showCell();
}
async function arrive() {
  const [run, die, cell] = location.hash.slice(2).split("/");
  const numbers = (text, count) => (text && text.split(",").length === count ? text.split(",").map(Number) : null);
  if (run !== state.run) {
    Object.assign(state, { run: run || null, fixed: null, die: numbers(die, 2), cell: numbers(cell, 3), visit: null, token: null, shown: "" });
    $("log").replaceChildren();
    $("run").hidden = !run; // at once: what is hidden cannot have the focus
    if (run) $("idle").hidden = true;
    if (run) follow();
    else source?.close();
  }
  await runs();
}
async function runs() {
  const { runs } = await ask("/api/runs");
  const going = runs.find((run) => GOING.includes(run.phase));
  if (!state.run && going && !arrive.once) {
    arrive.once = true;
    location.hash = `#/${going.run_id}`;
    return;
  }
  $("idle").hidden = Boolean(state.run);
  $("run").hidden = !state.run;
  if (!state.run) {
    linked(true);
    showIdle(runs, await ask("/api/bench"));
  }
  const name = (run) => `${run.wafer}${run.lot ? ` (${run.lot})` : ""}, ${when(run.started_wall)}`;
  $("runs").replaceChildren(...[["", "All runs and the bench"], ...runs.map((run) => [run.run_id, name(run)])].map(([value, text]) => new Option(text, value, false, value === (state.run ?? ""))));
}

const binName = (number) => state.fixed.hard_bin_names[number] ?? "no name";

// parts of the page

function banner() {
  const { now, fixed } = state, [word, tone] = PHASES[now.phase] ?? [now.phase, ""];
  const total = state.dies.size, done = total - now.left, going = GOING.includes(now.phase);
  const binned = [...state.dies.values()].filter((die) => die.hard_bin !== null);
  const good = binned.filter((die) => fixed.passing_bins.includes(die.hard_bin)).length;
  $("banner").className = `banner ${tone}`;
  $("phase").textContent = word;
  const current = now.current && going ? `die (${now.current[0]}, ${now.current[1]}), visit ${now.current[2]}` : "";
  $("doing").textContent = [current, now.phase === "running" || now.phase === "resumed" ? now.live.doing : "", now.reason].filter(Boolean).join(" · ");
  $("bar").value = total ? done / total : 0;
  $("count").textContent = `${done} of ${total}`;
  $("yield").textContent = binned.length ? `${((100 * good) / binned.length).toFixed(0)} %` : "–";
  $("left-word").textContent = now.ended_wall ? "Ended" : "Time left";
  $("left").textContent = now.ended_wall ? when(now.ended_wall) : now.phase === "paused" ? `${lasting(now.seconds_left)} once resumed` : lasting(now.seconds_left) + (now.phase === "asking" || !going ? "" : until(now.seconds_left));
  $("touchdowns").textContent = now.touchdowns;
  const outputs = Object.entries(now.live.bench ?? {}), on = outputs.filter(([, is]) => is === "on").map(([name]) => name);
  $("bench").textContent = !going ? "not in use by this run" : outputs.length ? (on.length ? `${on.join(", ")} on` : "all outputs off") : "not told";
  const question = going ? now.live.question : null;
  $("question").hidden = !question;
  if (question) {
    $("asked").textContent = `While ${question.what}${question.die ? ` on die (${question.die.join(", ")})` : ""}`;
    $("why").textContent = question.reason.startsWith(`${question.what}: `) ? question.reason.slice(question.what.length + 2) : question.reason;
  }
}

function bins() {
  const counts = new Map();
  for (const die of state.dies.values()) if (die.hard_bin !== null) counts.set(die.hard_bin, (counts.get(die.hard_bin) ?? 0) + 1);
  const total = state.dies.size;
  $("bins").replaceChildren(...Object.entries(state.fixed.hard_bin_names).map(([number, name]) => {
    const [colour, ink] = state.colours.get(Number(number)), count = counts.get(Number(number)) ?? 0;
    const fails = !state.fixed.passing_bins.includes(Number(number));
    const swatch = element("i", number, { className: fails ? "fails" : "" }), entry = element("li");
    swatch.style.backgroundColor = colour;
    swatch.style.color = ink;
    entry.append(swatch, ` ${name} `, element("b", `${count}`), element("small", ` ${((100 * count) / total).toFixed(0)} %`));
    return entry;
  }));
}

function controls() {
  const { now, token } = state, going = GOING.includes(now.phase);
  const first = now.live.question?.terminal ? "It is asked at the terminal too: the first answer counts." : "";
  $("controls").hidden = !going;
  if (!going) state.token = null;
  if (token && !now.controller && going) state.token = null;
  const has = Boolean(state.token);
  $("holder").textContent = has ? "You have the controls" : now.controller ? `${now.controller} has the controls` : "Nobody has the controls";
  $("how").textContent = has ? first : `${first} To answer here, take the controls.`;
  $("name").hidden = $("take").hidden = has;
  $("take").disabled = Boolean(now.controller) && !has;
  $("orders").hidden = !has;
  for (const button of document.querySelectorAll("[data-action]")) button.disabled = !has;
  const waits = now.phase === "paused", asks = now.phase === "asking";
  for (const button of document.querySelectorAll("#orders [data-action]")) button.hidden = asks; // the question has buttons of its own
  document.querySelector("#orders [data-action=pause]").hidden = waits || asks;
  document.querySelector("#orders [data-action=resume]").hidden = !waits;
  const answer = now.live.answers?.[0];
  if (has && answer && answer[0] === state.asked) tell(`The run: ${answer[1]}`);
}

function log(fresh) {
  const list = $("log");
  for (const event of fresh) list.prepend(entry(event, clock(event.wall)));
  while (list.children.length > 500) list.lastChild.remove();
}

function facts() {
  const { fixed } = state, pairs = [
    ["Run", fixed.run_id], ["Begun", when(fixed.started_wall)], ["Operator", fixed.operator], ["Bench", fixed.bench], ["Recipe", fixed.recipe], ["Steps", fixed.steps.join(", ")],
    ["Instruments", fixed.instruments.join("; ")], ["Simulated", { true: "yes", false: "no" }[fixed.is_simulated]],
  ];
  $("facts").replaceChildren(...pairs.flatMap(([name, value]) => [element("dt", name), element("dd", value || "not told")]));
}

async function showDie() {
  const { run, die } = state;
  if (!die || !state.fixed) return;
  let told;
  try {
    told = await ask(api(`/dies/${die[0]}/${die[1]}`));
  } catch (error) {
    $("die-words").textContent = error.message;
    return;
  }
  if (run !== state.run || die !== state.die) return; // another was chosen meanwhile
  $("die-name").textContent = `Die (${die.join(", ")})`;
  const bin = told.hard_bin === null ? "" : `, bin ${told.hard_bin}: ${binName(told.hard_bin)}`;
  $("die-words").textContent = `${told.state}${bin}${told.reason && told.reason !== binName(told.hard_bin) ? `; ${told.reason}` : ""}`;
  visits(told.visits);
  const choices = told.visits.flatMap((visit) => visit.with_maps.map((step) => [visit.attempt, step])).reverse();
  $("die-shown").hidden = !choices.length;
  if (!choices.length) state.shown = "";
  const wanted = choices.find((choice) => choice.join() === $("visit").value && state.shown.startsWith(die.join())) ?? choices[0];
  $("visit").replaceChildren(...choices.map((choice) => new Option(`visit ${choice[0]}, ${choice[1]}`, choice.join(), false, choice === wanted)));
  if (wanted) await showMap(wanted);
  await showCell();
}

async function showMap([attempt, step]) {
  const { die } = state, name = `${die.join()}/${attempt}/${step}`;
  if (state.shown === name) return;
  $("pointed").textContent = ""; // what stands there is about another map
  let told;
  try {
    told = await ask(api(`/dies/${die[0]}/${die[1]}/maps/${step}/${attempt}`));
  } catch (error) {
    $("pointed").textContent = `The map cannot be shown: ${error.message}`;
    return;
  }
  if (die !== state.die || state.shown === name) return; // another was chosen, or it was fetched twice
  state.shown = name;
  state.marked = map.at = null;
  performance.mark("began");
  const choices = map.take(told, state.fixed.statuses), before = $("quantity").value;
  $("quantity").replaceChildren(...choices.map(([value, text]) => new Option(text, value, false, value === before)));
  map.show($("quantity").value);
  took("map");
  const [kernels, rows, cols] = told.shape;
  $("pointed").textContent = `${kernels > 1 ? `${kernels} arrays of ` : ""}${rows} × ${cols} cells, read at ${told.volts} V (${told.scheme})${told.is_partial ? "; not complete" : ""}`;
}

function visits(all) {
  $("visits-of-die").hidden = !all.length;
  $("visits").replaceChildren(...[...all].reverse().map((visit) => row([visit.attempt, clock(visit.began_wall), visit.ended_wall ? visit.state : "going on", visit.hard_bin, visit.seconds?.toFixed(1), visit.touchdowns, visit.reason || visit.first_failing || ""], [3, 4, 5])));
  const figures = Object.entries(all.at(-1)?.figures ?? {});
  $("figures").replaceChildren(...figures.map(([name, value]) => {
    const [unit, low, high] = state.fixed.tests[name] ?? ["", null, null];
    const fails = value !== null && ((low !== null && value < low) || (high !== null && value > high));
    const limits = [low === null ? "" : `≥ ${+low.toPrecision(4)}`, high === null ? "" : `≤ ${+high.toPrecision(4)}`].filter(Boolean).join(", ");
    const line = row([name, value === null ? "–" : `${+value.toPrecision(5)} ${unit === "%" ? "" : unit}`, limits], [1]);
    line.className = fails ? "incident" : "";
    return line;
  }));
}

async function showCell() {
  const { die, cell } = state;
  $("cell").hidden = !cell || !die;
  if (!cell || !die) return;
  if (state.marked !== cell) map.mark(cell); // the keyboard may have walked on since it was chosen
  state.marked = cell;
  let told;
  try {
    told = await ask(api(`/dies/${die[0]}/${die[1]}/cells/${cell.join("/")}`));
  } catch (error) {
    $("cell-name").textContent = error.message;
    return;
  }
  if (cell !== state.cell) return;
  $("cell-name").textContent = `Cell: array ${cell[0]}, row ${cell[1]}, column ${cell[2]}`;
  $("cell-rows").replaceChildren(...told.history.reverse().map((entry) => row([entry.attempt, entry.step, clock(entry.began_wall), state.fixed.statuses[entry.status], { 1: "P", 0: "AP" }[entry.state], micro(entry.siemens), micro(entry.siemens_p), micro(entry.siemens_ap), micro(entry.sigma)], [5, 6, 7, 8])));
}

// orders

async function order(action) {
  if (!state.token) return tell("Take the controls first");
  const die = action === "skip" && state.now.phase !== "asking" ? toSkip() : null;
  const sure = {
    abort: "Abort the run? It ends after this step. The die under the probes is planned again, and the run can be resumed.",
    skip: die ? `Leave out die (${die.join(", ")})? It gets no bin.` : "Leave out this die? It gets no bin.",
  }[action];
  if (sure && !(await confirmed(sure))) return;
  try {
    state.asked = (await ask(api("/requests"), { token: state.token, action, die })).seq;
    tell(`Asked: ${action}. The run takes it before its next step`);
  } catch (error) {
    tell(error.message);
  }
}
function toSkip() {
  const chosen = state.die && state.dies.get(state.die.join()), current = state.now.current;
  return chosen?.state === "planned" || !current ? state.die : [current[0], current[1]];
}
function confirmed(text) {
  $("sure-what").textContent = text;
  $("sure").returnValue = "no";
  $("sure").showModal();
  return new Promise((done) => $("sure").addEventListener("close", () => done($("sure").returnValue === "yes"), { once: true }));
}
async function take() {
  const name = $("name").value.trim();
  if (!name) {
    tell("Say who you are first: the log keeps it");
    return $("name").focus();
  }
  try {
    state.token = (await ask(api("/controls"), { name })).token;
    localStorage.setItem("name", name);
    state.now.controller = name;
    tell("");
  } catch (error) {
    tell(error.message);
  }
  controls();
}
async function keep(is) {
  if (!state.token) return;
  try {
    await ask(api("/controls/keep"), { token: state.token, keep: is });
    if (!is) state.token = state.now.controller = null;
  } catch (error) {
    state.token = null;
    tell(error.message);
  }
  controls();
}

// theme, keys, start

const THEMES = ["system", "light", "dark"];
function theme(name) {
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  $("theme").textContent = `Theme: ${name}`;
  localStorage.setItem("theme", name);
  map.draw();
}
$("theme").addEventListener("click", () => theme(THEMES[(THEMES.indexOf(localStorage.getItem("theme") ?? "system") + 1) % 3]));
$("runs").addEventListener("change", (event) => { location.hash = `#/${event.target.value}`; });
$("quantity").addEventListener("change", (event) => map.show(event.target.value));
$("visit").addEventListener("change", (event) => showMap(event.target.value.split(",")));
$("incidents").addEventListener("change", (event) => $("log").classList.toggle("only", event.target.checked));
$("idle-incidents").addEventListener("change", (event) => $("messages").classList.toggle("only", event.target.checked));
$("take").addEventListener("click", take);
$("name").addEventListener("keydown", (event) => { if (event.key === "Enter") take(); });
$("release").addEventListener("click", () => keep(false));
for (const button of document.querySelectorAll("[data-action]")) button.addEventListener("click", () => order(button.dataset.action));
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") wafer.focus();
  if (!state.token) return;
  if (event.key === "p") order(state.now.phase === "paused" ? "resume" : "pause");
  if (event.key === "s") order("skip");
});
addEventListener("hashchange", arrive);
$("name").value = localStorage.getItem("name") ?? "";
theme(localStorage.getItem("theme") ?? "system");
setInterval(() => keep(true), 10000);
setInterval(() => { if (!state.run) runs().catch(() => linked(false)); }, 5000);
arrive().catch((error) => { $("link").textContent = error.message; });
