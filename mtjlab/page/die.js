// The cells of a die: every array of it as a block of pixels, by value or by what is wrong with them.

import { cividis, statusColour, statusRgba } from "./colours.js";

const QUANTITIES = {
  siemens_p: "conductance, parallel", siemens_ap: "conductance, antiparallel", siemens: "conductance as last read", sigma: "uncertainty", tmr: "TMR", defects: "defects",
};
const GAP = 1; // cells between arrays

function bytes(text) {
  const raw = atob(text), found = new Uint8Array(raw.length);
  for (let k = 0; k < raw.length; k++) found[k] = raw.charCodeAt(k);
  return found;
}

export class DieMap {
  constructor(canvas, scale, pointed, chosen) {
    Object.assign(this, { canvas, scale, pointed, chosen, data: null, at: null });
    canvas.addEventListener("click", (event) => this.#click(event));
    canvas.addEventListener("pointermove", (event) => this.#point(event));
    canvas.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.draw()).observe(canvas.parentElement);
  }

  take(told, statuses) {
    const arrays = {};
    for (const [name, text] of Object.entries(told.arrays)) arrays[name] = new Float32Array(bytes(text).buffer);
    if (arrays.siemens_p && arrays.siemens_ap) arrays.tmr = arrays.siemens_p.map((p, k) => p / arrays.siemens_ap[k] - 1);
    this.data = { ...told, arrays, status: new Int8Array(bytes(told.status).buffer), state: new Int8Array(bytes(told.state).buffer) };
    this.statuses = statuses;
    this.at = null;
    return Object.entries(QUANTITIES).filter(([name]) => name === "defects" || arrays[name]);
  }

  show(quantity) {
    this.quantity = quantity;
    this.draw();
    this.#legend();
  }

  index(kernel, row, col) {
    const [, rows, cols] = this.data.shape;
    return (kernel * rows + row) * cols + col;
  }

  draw() {
    if (!this.data) return;
    const [kernels, rows, cols] = this.data.shape, width = this.canvas.parentElement.clientWidth;
    if (!width) return;
    // as many arrays beside each other as make the whole about as wide as the place has room
    const wanted = kernels > 1 ? Math.sqrt((2 * kernels * rows) / cols) : 1;
    const holes = (n) => Math.ceil(kernels / n) * n - kernels;
    const counts = Array.from({ length: kernels }, (_, k) => k + 1);
    const across = counts.reduce((best, n) => (Math.abs(n - wanted) + holes(n) < Math.abs(best - wanted) + holes(best) ? n : best));
    const down = Math.ceil(kernels / across);
    const cell = Math.max(1, Math.min(36, Math.floor((width * devicePixelRatio) / (across * (cols + GAP)))));
    this.laid = { across, cell, cols: cols + GAP, rows: rows + GAP };
    this.canvas.width = (across * (cols + GAP) - GAP) * cell;
    this.canvas.height = (down * (rows + GAP) - GAP) * cell;
    this.canvas.style.width = `${this.canvas.width / devicePixelRatio}px`;
    const pen = this.canvas.getContext("2d");
    const small = new ImageData(cols, rows), sheet = new OffscreenCanvas(cols, rows), part = sheet.getContext("2d");
    const colour = this.#colours();
    pen.imageSmoothingEnabled = false;
    for (let kernel = 0; kernel < kernels; kernel++) {
      for (let k = 0; k < rows * cols; k++) small.data.set(colour(kernel * rows * cols + k), 4 * k);
      part.putImageData(small, 0, 0);
      const x = (kernel % across) * (cols + GAP) * cell, y = Math.floor(kernel / across) * (rows + GAP) * cell;
      pen.drawImage(sheet, x, y, cols * cell, rows * cell);
      pen.strokeStyle = getComputedStyle(this.canvas).getPropertyValue("--line");
      pen.strokeRect(x + 0.5, y + 0.5, cols * cell - 1, rows * cell - 1);
    }
    if (this.at) this.#ring(pen);
  }

  mark(at) {
    this.at = at;
    this.draw();
    if (at && this.data) this.pointed.textContent = this.words(at);
  }

  words([kernel, row, col]) {
    const k = this.index(kernel, row, col), { arrays, status } = this.data;
    const micro = (name) => (arrays[name] && Number.isFinite(arrays[name][k]) ? `${(1e6 * arrays[name][k]).toPrecision(4)} µS` : "–");
    return `Array ${kernel}, row ${row}, column ${col}: ${this.statuses[status[k]] ?? "?"}; P ${micro("siemens_p")}, AP ${micro("siemens_ap")}, read ${micro("siemens")}`;
  }

  #colours() {
    const { arrays, status } = this.data;
    if (this.quantity === "defects") return (k) => statusRgba(status[k]);
    const values = arrays[this.quantity], sorted = values.filter(Number.isFinite).sort();
    const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
    this.range = [at(0.01), at(0.99)]; // shorts and opens must not flatten all the others
    const [low, high] = this.range, span = high - low || 1;
    return (k) => (Number.isFinite(values[k]) ? [...cividis((values[k] - low) / span), 255] : [0, 0, 0, 0]);
  }

  #legend() {
    this.scale.replaceChildren();
    if (this.quantity === "defects") {
      for (const [number, count] of Object.entries(this.data.counts)) {
        const entry = document.createElement("span"), swatch = document.createElement("i");
        swatch.style.backgroundColor = statusColour(Number(number));
        entry.append(swatch, `${this.statuses[number]} ${count}`);
        this.scale.append(entry);
      }
      return;
    }
    const strip = document.createElement("canvas");
    [strip.width, strip.height, strip.className] = [128, 1, "strip"];
    const line = strip.getContext("2d").createImageData(128, 1);
    for (let k = 0; k < 128; k++) line.data.set([...cividis(k / 127), 255], 4 * k);
    strip.getContext("2d").putImageData(line, 0, 0);
    const word = (value) => (this.quantity === "tmr" ? `${(100 * value).toFixed(0)} %` : `${(1e6 * value).toPrecision(3)} µS`);
    const unread = document.createElement("span");
    unread.textContent = "blank: not measured; ends of the scale: 1 % and 99 % of the cells";
    this.scale.append(word(this.range[0]), strip, word(this.range[1]), unread);
  }

  #ring(pen) {
    const [kernel, row, col] = this.at, { across, cell, cols, rows } = this.laid;
    const x = ((kernel % across) * cols + col) * cell, y = (Math.floor(kernel / across) * rows + row) * cell;
    for (const [colour, out] of [["#fff", 3], ["#000", 1.5]]) {
      [pen.strokeStyle, pen.lineWidth] = [colour, 2];
      pen.strokeRect(x - out, y - out, cell + 2 * out, cell + 2 * out);
    }
    pen.lineWidth = 1;
  }

  #cellAt(event) {
    if (!this.laid) return null;
    const box = this.canvas.getBoundingClientRect(), ratio = this.canvas.width / box.width;
    const x = Math.floor(((event.clientX - box.left) * ratio) / this.laid.cell), y = Math.floor(((event.clientY - box.top) * ratio) / this.laid.cell);
    const kernel = Math.floor(y / this.laid.rows) * this.laid.across + Math.floor(x / this.laid.cols);
    const row = y % this.laid.rows, col = x % this.laid.cols, [kernels, rows, cols] = this.data.shape;
    return x >= 0 && y >= 0 && kernel < kernels && row < rows && col < cols ? [kernel, row, col] : null;
  }

  #point(event) {
    const cell = this.#cellAt(event);
    if (cell) this.pointed.textContent = this.words(cell);
  }

  #click(event) {
    const cell = this.#cellAt(event);
    if (cell) this.chosen(cell);
  }

  #key(event) {
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], PageUp: [0, 0, -1], PageDown: [0, 0, 1] };
    if (event.key === "Enter" && this.at) this.chosen(this.at);
    if (!moves[event.key]) return;
    event.preventDefault();
    const [kernels, rows, cols] = this.data.shape, [dr, dc, dk = 0] = moves[event.key];
    const [kernel, row, col] = this.at ?? [0, 0, 0], inside = (value, count) => Math.min(Math.max(value, 0), count - 1);
    this.mark(this.at ? [inside(kernel + dk, kernels), inside(row + dr, rows), inside(col + dc, cols)] : [0, 0, 0]);
  }
}
