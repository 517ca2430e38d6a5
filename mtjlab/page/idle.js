// While no run is watched: whether one is going on, who holds the instruments, earlier runs, what was noted last.

import { GOING, PHASES, element, entry, row, when } from "./words.js";

const $ = (id) => document.getElementById(id);

export function showIdle(runs, bench) {
  const going = runs.filter((run) => GOING.includes(run.phase));
  said(going, bench.holders);
  $("holders").replaceChildren(...bench.holders.map((holder) => holderRow(holder, runs)));
  $("holders-table").hidden = !bench.holders.length;
  $("free").hidden = bench.holders.length > 0;
  $("none").hidden = runs.length > 0;
  $("list").replaceChildren(...runs.map((run) => {
    const word = (PHASES[run.phase] ?? [run.phase])[0].split(/[:;(]/)[0];
    return row([linkTo(run), run.lot, when(run.started_wall), element("span", word, { className: `tag ${PHASES[run.phase]?.[1] ?? ""}` }), `${run.finished} of ${run.dies}`], [4]);
  }));
  $("messages").replaceChildren(...bench.events.toReversed().map((event) => entry(event, when(event.wall), event.wafer)));
  $("quiet").hidden = bench.events.length > 0;
}

function said(going, holders) {
  const needy = going.find((run) => run.phase === "asking");
  const words = needy ? "A run waits for a person" : going.length ? "A run is going on" : holders.length ? "The instruments are in use" : "Nothing is running";
  $("idle-banner").className = `banner ${needy ? "amber" : ""}`;
  $("idle-word").textContent = words;
  const text = going.length ? "" : holders.length ? "by a program that records no wafer run in this folder." : "A run appears here as soon as it has begun.";
  $("idle-text").replaceChildren(text, ...going.flatMap((run) => [linkTo(run), ` ${run.finished} of ${run.dies} dies${run.is_simulated ? ", simulated" : ""}. `]));
}

function linkTo(run) {
  return element("a", run.wafer, { href: `#/${run.run_id}` });
}

function holderRow(holder, runs) {
  const run = runs.find((one) => one.run_id === holder.run_id);
  return row([holder.addresses.join(", "), `${holder.user} on ${holder.host}, process ${holder.process}`, when(holder.since), run ? linkTo(run) : "–", holder.command]);
}
