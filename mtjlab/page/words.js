// Words, times and lines of tables that several parts of the page use.

export const PHASES = {
  running: ["Running", ""], resumed: ["Running again (resumed)", ""], recording: ["Not ended: being recorded, or interrupted", ""], paused: ["Paused: the bench is idle", "amber"],
  asking: ["Waiting for a person", "amber"], interrupted: ["Interrupted: program or power ended; the run can be resumed", "red"],
  complete: ["Finished", "green"], stopped: ["Stopped early; the run can be resumed", "amber"], failed: ["Failed", "red"],
};
export const GOING = ["running", "resumed", "paused", "asking"];

const KINDS = { begin: "going there", kept: "stored" };

export function element(kind, text, more = {}) {
  return Object.assign(document.createElement(kind), text === undefined ? {} : { textContent: text }, more);
}
export function row(cells, numeric = []) {
  const line = document.createElement("tr");
  cells.forEach((cell, k) => {
    const place = element("td", undefined, { className: numeric.includes(k) ? "num" : "" });
    place.append(cell instanceof Node ? cell : String(cell ?? "–"));
    line.append(place);
  });
  return line;
}
export function entry(event, time, wafer = "") {
  const line = element("li", undefined, { className: event.is_incident ? "incident" : "" });
  const text = event.text ?? "", place = event.die ? `die (${event.die.join(", ")})` : "";
  const where = place && !text.includes(place) ? place : "";
  line.append(element("time", time), element("b", KINDS[event.kind] ?? event.kind), element("span", [[wafer, where].filter(Boolean).join(", "), text].filter(Boolean).join(": ")));
  return line;
}
export const when = (wall) => (wall ? new Date(1000 * wall).toLocaleString(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }) : "–");
export const clock = (wall) => new Date(1000 * wall).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
export function until(seconds) {
  if (!seconds || seconds < 90) return "";
  return `, till ${new Date(Date.now() + 1000 * seconds).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" })}`;
}
export const micro = (value) => (value === null ? "–" : (1e6 * value).toPrecision(4));
export function lasting(seconds) {
  if (seconds === null || seconds === undefined) return "not known yet";
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}
