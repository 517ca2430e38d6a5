// The wafer: a button per die, where it lies; arrow keys walk from die to die.

const key = (x, y) => `${x},${y}`;

export class Wafer {
  constructor(place, chosen) {
    this.place = place;
    this.chosen = chosen;
    this.buttons = new Map();
    place.addEventListener("keydown", (event) => this.#walk(event));
    place.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.chosen(Number(button.dataset.x), Number(button.dataset.y));
    });
  }

  // signs: 1 where x grows to the right, and y upwards; -1 otherwise
  lay(dies, signs = [1, 1]) {
    this.signs = signs;
    this.place.replaceChildren();
    this.buttons.clear();
    const xs = dies.map((die) => die.x), ys = dies.map((die) => die.y);
    const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const columns = right - left + 1, rows = high - low + 1;
    const side = Math.max(columns, rows), big = side > 24 ? 0.96 : 0.92;
    // all dies lie inside the circle: the grid is as large as a square in it, or as its own corners allow
    const corner = Math.max(...dies.map((die) => Math.hypot(Math.abs(die.x - (left + right) / 2) + 0.5, Math.abs(die.y - (low + high) / 2) + 0.5)));
    const step = Math.min(48.5 / corner, 12); // a handful of dies need not fill the wafer
    this.place.classList.toggle("dense", side > 16);
    for (const die of dies) {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.x = die.x;
      button.dataset.y = die.y;
      button.setAttribute("role", "gridcell");
      button.tabIndex = -1;
      button.style.left = `${50 + ((die.x - (left + right) / 2) * signs[0] - big / 2) * step}%`;
      button.style.top = `${50 - ((die.y - (low + high) / 2) * signs[1] + big / 2) * step}%`;
      button.style.width = button.style.height = `${step * big}%`;
      this.place.append(button);
      this.buttons.set(key(die.x, die.y), button);
    }
    if (dies.length) this.buttons.get(key(dies[0].x, dies[0].y)).tabIndex = 0;
  }

  show(die, colours, binName, passing) {
    const button = this.buttons.get(key(die.x, die.y));
    if (!button) return;
    const bin = die.hard_bin, colour = bin === null ? null : colours.get(bin) ?? ["#666", "#fff"];
    const words = bin === null ? die.state : `bin ${bin}, ${binName(bin)}`;
    button.className = `die ${die.state} ${bin !== null && !passing.includes(bin) ? "fails" : ""}`;
    button.style.backgroundColor = colour ? colour[0] : "";
    button.style.color = colour ? colour[1] : "";
    const marks = { contacted: "●", measuring: "●", failed: "✕", skipped: "–" };
    button.textContent = bin !== null ? bin : marks[die.state] ?? "";
    button.setAttribute("aria-label", `Die ${die.x}, ${die.y}: ${words}${die.reason ? `; ${die.reason}` : ""}`);
    button.title = `(${die.x}, ${die.y}) ${words}${die.reason ? `\n${die.reason}` : ""}`;
  }

  mark(chosen, current) {
    for (const [place, button] of this.buttons) {
      button.setAttribute("aria-selected", String(chosen === place));
      button.classList.toggle("here", current === place);
      if (chosen !== null) button.tabIndex = chosen === place ? 0 : -1;
    }
  }

  focus() {
    [...this.buttons.values()].find((button) => button.tabIndex === 0)?.focus();
  }

  #walk(event) {
    const [across, up] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [0, 0];
    const [dx, dy] = [across * this.signs[0], up * this.signs[1]];
    const from = event.target.closest("button");
    if (!from || (!dx && !dy)) return;
    event.preventDefault();
    const x = Number(from.dataset.x), y = Number(from.dataset.y);
    let best = null, nearest = Infinity;
    for (const button of this.buttons.values()) {
      const along = (button.dataset.x - x) * dx + (button.dataset.y - y) * dy;
      const aside = Math.abs((button.dataset.x - x) * dy) + Math.abs((button.dataset.y - y) * dx);
      if (along > 0 && along + 3 * aside < nearest) [best, nearest] = [button, along + 3 * aside];
    }
    if (!best) return;
    from.tabIndex = -1;
    best.tabIndex = 0;
    best.focus();
  }
}
