// Colours that colour-blind people can tell apart: cividis for values (Nuñez, Anderton, Renslow 2018), Okabe-Ito for kinds.

const CIVIDIS = [
  [0, 34, 78], [18, 53, 112], [59, 73, 108], [87, 93, 109], [112, 113, 115],
  [138, 134, 120], [165, 156, 116], [195, 179, 105], [225, 204, 85], [254, 232, 56],
];
export const NO_VALUE = "hatch";

export function cividis(share) {
  const place = Math.min(Math.max(share, 0), 1) * (CIVIDIS.length - 1);
  const low = Math.min(Math.floor(place), CIVIDIS.length - 2);
  const part = place - low;
  return CIVIDIS[low].map((value, k) => Math.round(value + part * (CIVIDIS[low + 1][k] - value)));
}

// [colour, colour of what is written on it]; good bins blue-green, others by turns, each bin also bears its number
const OTHERS = [
  ["#d55e00", "#000"], ["#e69f00", "#000"], ["#cc79a7", "#000"], ["#f0e442", "#000"], ["#56b4e9", "#000"], ["#0072b2", "#fff"],
];
export function binColours(names, passing) {
  const found = new Map();
  let next = 0;
  for (const number of Object.keys(names).map(Number).sort((a, b) => a - b)) {
    found.set(number, passing.includes(number) ? ["#009e73", "#000"] : OTHERS[next++ % OTHERS.length]);
  }
  return found;
}

// by CellStatus: unread, ok, short, open, stuck P, stuck AP, unstable, unwritten, low TMR, disturbed, line open, line short
const STATUS = [
  "#00000000", "#8fa3b5", "#d55e00", "#0072b2", "#e69f00", "#56b4e9", "#cc79a7", "#7a3b8f", "#f0e442", "#009e73", "#003a6b", "#8c2d04",
];
export function statusColour(number) {
  return STATUS[number] ?? "#ff00ff";
}
export function statusRgba(number) {
  const hex = statusColour(number);
  const at = (k) => parseInt(hex.slice(k, k + 2), 16);
  return [at(1), at(3), at(5), hex.length > 7 ? at(7) : 255];
}
