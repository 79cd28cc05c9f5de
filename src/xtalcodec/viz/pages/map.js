"use strict";
/* A map of crystals: points on a canvas to hover, choose, colour, search and lasso; by pointer and by keys. */
class CrystalMap {
  static CIVIDIS = ["#00224e", "#1a386f", "#434e6c", "#61656f", "#7d7c78", "#9b9476", "#bcae6c", "#dec958", "#fee838"];
  /** Okabe & Ito's colours, which colour-blind readers can tell. */
  static DISTINCT = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442"];
  static UNKNOWN = "#9aa3ad";
  static REST = "#5f6770"; // categories beyond the colours there are
  static NEAR = 9; // points of the screen: a pointer so near to a crystal means it

  /** Numbers in base64, as they are sent. */
  static unpacked(text, Kind) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    return new Kind(bytes.buffer);
  }

  /** `tell(name, value)`: "chosen" with the place of a crystal, "selected" with places, "coloured" with a column's name. */
  constructor(root, tell) {
    this.root = root;
    this.tell = tell;
    this.fresh = () => this.repaint();
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.dark.addEventListener("change", this.fresh);
    addEventListener("xtalcodec-theme", this.fresh);
  }

  close() {
    this.dark.removeEventListener("change", this.fresh);
    removeEventListener("xtalcodec-theme", this.fresh);
    if (this.watching) this.watching.disconnect();
  }

  /** Draws a map; `start` may say which crystal is chosen and which column colours it. */
  show(data, { chosen = -1, colour = "" } = {}) {
    this.data = data;
    this.size = data.names.length;
    this.places = CrystalMap.unpacked(data.places, Float32Array);
    this.columns = data.columns.map((column) => ({ ...column, values: CrystalMap.unpacked(column.values, column.categories ? Int32Array : Float32Array) }));
    this.words = data.names.map((name, k) => `${name}\n${data.formulas[k]}`.toLowerCase());
    this.elements = data.formulas.map((formula) => new Set(formula.match(/[A-Z][a-z]?/g)));
    this.chosen = chosen;
    this.selected = null; // places, as a set; null where nothing is
    this.lassoing = false;
    this.order = this.shuffled();
    this.column = Math.max(0, this.columns.findIndex(({ name }) => name === colour));
    this.root.replaceChildren(this.tools(), this.field(), this.legend());
    if (this.watching) this.watching.disconnect();
    this.watching = new ResizeObserver(() => { this.fit(); });
    this.watching.observe(this.holder);
    this.fit();
    this.recolour();
  }

  /** Places in an order that has nothing to do with the data's, so that no category lies on top of another. */
  shuffled() {
    const order = Uint32Array.from({ length: this.size }, (_, k) => k);
    let seed = 1;
    for (let k = this.size - 1; k > 0; k--) {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      const other = seed % (k + 1);
      [order[k], order[other]] = [order[other], order[k]];
    }
    return order;
  }

  // ---- what surrounds the picture
  tools() {
    const bar = Cell.make("div", undefined, "map-tools");
    if (this.columns.length) {
      const label = Cell.make("label", "Colours ");
      const select = document.createElement("select");
      this.columns.forEach(({ label: text }, k) => select.append(new Option(text, k, false, k === this.column)));
      select.addEventListener("change", () => {
        this.column = Number(select.value);
        this.select(null);
        this.recolour();
        this.tell("coloured", this.columns[this.column].name);
      });
      label.append(select);
      bar.append(label);
    }
    this.find = document.createElement("input");
    Object.assign(this.find, { type: "search", placeholder: "Formula, element, name", autocomplete: "off", spellcheck: false });
    this.find.setAttribute("aria-label", "Select crystals by formula, element or name");
    this.find.addEventListener("input", () => this.search());
    this.find.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !this.selected || !this.selected.size) return;
      this.choose(this.selected.values().next().value);
    });
    this.lasso = this.button("Lasso", () => this.lassoed(!this.lassoing));
    this.lasso.setAttribute("aria-pressed", "false");
    const [nearer, farther] = [this.button("+", () => this.zoom(1.5)), this.button("−", () => this.zoom(1 / 1.5))];
    nearer.setAttribute("aria-label", "Nearer");
    farther.setAttribute("aria-label", "Farther");
    bar.append(this.find, this.lasso, nearer, farther, this.button("Show all", () => { this.select(null); this.fit(); }));
    return bar;
  }

  button(text, act) {
    const made = Cell.make("button", text);
    made.type = "button";
    made.addEventListener("click", act);
    return made;
  }

  legend() {
    this.keys = Cell.make("div", undefined, "map-keys");
    this.said = Cell.make("p", undefined, "map-said");
    this.said.setAttribute("role", "status");
    const foot = Cell.make("div", undefined, "map-foot");
    foot.append(this.keys, this.said);
    return foot;
  }

  /** Colours with their meaning and unit; categories can be clicked to select what is of them. */
  key() {
    this.keys.replaceChildren();
    const column = this.columns[this.column];
    if (!column) return;
    const unknown = this.size - column.known;
    if (column.categories) {
      const counts = new Array(column.categories.length).fill(0);
      for (const place of column.values) if (place >= 0) counts[place]++;
      const named = CrystalMap.DISTINCT.length;
      column.categories.slice(0, named).forEach((text, k) => this.entry(CrystalMap.DISTINCT[k], text, counts[k], (value) => value === k));
      const rest = counts.slice(named).reduce((sum, x) => sum + x, 0);
      if (rest) this.entry(CrystalMap.REST, `${column.categories.length - named} others`, rest, (value) => value >= named);
    } else {
      const bar = Cell.make("i");
      bar.style.background = `linear-gradient(90deg, ${CrystalMap.CIVIDIS.join(", ")})`;
      const scale = Cell.make("span", undefined, "map-scale");
      const [low, high] = column.range;
      const below = column.least < low ? "≤ " : "";
      const above = column.most > high ? "≥ " : "";
      scale.append(Cell.make("b", column.label), `${below}${CrystalMap.number(low)}`, bar, `${above}${CrystalMap.number(high)}`);
      this.keys.append(scale);
    }
    if (unknown) this.entry(CrystalMap.UNKNOWN, "not known", unknown, (value) => !(column.categories ? value >= 0 : Number.isFinite(value)));
  }

  entry(color, text, count, fits) {
    const made = this.button("", () => {
      const already = made.getAttribute("aria-pressed") === "true";
      const { values } = this.columns[this.column];
      this.select(already ? null : Array.from(values.keys()).filter((k) => fits(values[k])));
      if (!already) made.setAttribute("aria-pressed", "true");
    });
    made.setAttribute("aria-pressed", "false");
    const ball = Cell.make("i");
    ball.style.background = color;
    made.append(ball, `${text} (${count.toLocaleString("en")})`);
    this.keys.append(made);
  }

  static number(value) {
    if (Number.isInteger(value) && Math.abs(value) < 1e6) return `${value}`;
    return `${Number(value.toPrecision(3))}`;
  }

  /** The value of a crystal in a column, in words; empty where it is not known. */
  static valueOf(column, k) {
    const value = column.values[k];
    if (column.categories) return value >= 0 ? column.categories[value] : "";
    return Number.isFinite(value) ? `${Number(value.toPrecision(4))}` : "";
  }

  // ---- the picture
  field() {
    this.holder = Cell.make("div", undefined, "map-field");
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.tip = Cell.make("span", undefined, "tip");
    this.tip.hidden = true;
    const [across, up] = this.data.axes;
    this.holder.append(this.canvas, Cell.make("span", across, "map-axis across"), Cell.make("span", up, "map-axis up"), this.tip);
    this.listen();
    return this.holder;
  }

  /** All crystals in sight. */
  fit() {
    const [width, height] = [this.holder.clientWidth, this.holder.clientHeight];
    if (!width || !height) return;
    const dots = devicePixelRatio || 1;
    Object.assign(this.canvas, { width: Math.round(width * dots), height: Math.round(height * dots) });
    const [low, high] = [[Infinity, Infinity], [-Infinity, -Infinity]];
    for (let k = 0; k < this.places.length; k++) {
      const axis = k & 1;
      low[axis] = Math.min(low[axis], this.places[k]);
      high[axis] = Math.max(high[axis], this.places[k]);
    }
    const span = [0, 1].map((axis) => high[axis] - low[axis] || 1);
    const scale = 0.9 * Math.min((width - 24) / span[0], (height - 24) / span[1]);
    this.view = { scale, least: scale, x: (low[0] + high[0]) / 2, y: (low[1] + high[1]) / 2, width, height, dots };
    this.repaint();
  }

  at(k) {
    const { scale, x, y, width, height } = this.view;
    return [width / 2 + (this.places[2 * k] - x) * scale, height / 2 - (this.places[2 * k + 1] - y) * scale];
  }

  zoom(by, [px, py] = [this.view.width / 2, this.view.height / 2]) {
    const { view } = this;
    const scale = Math.max(view.least / 2, Math.min(view.least * 400, view.scale * by));
    view.x += (px - view.width / 2) * (1 / view.scale - 1 / scale);
    view.y -= (py - view.height / 2) * (1 / view.scale - 1 / scale);
    view.scale = scale;
    this.repaint();
  }

  recolour() {
    const column = this.columns[this.column];
    const SHADES = 64;
    this.palette = [CrystalMap.UNKNOWN];
    this.paints = new Uint8Array(this.size);
    if (column && column.categories) {
      this.palette.push(...CrystalMap.DISTINCT, CrystalMap.REST);
      column.values.forEach((value, k) => { this.paints[k] = value < 0 ? 0 : 1 + Math.min(value, CrystalMap.DISTINCT.length); });
    } else if (column) {
      for (let k = 0; k < SHADES; k++) this.palette.push(Surface.shade(k, [0, SHADES - 1], CrystalMap.CIVIDIS));
      const [low, high] = column.range;
      column.values.forEach((value, k) => {
        const share = Math.max(0, Math.min(1, (value - low) / (high - low || 1)));
        this.paints[k] = Number.isFinite(value) ? 1 + Math.round(share * (SHADES - 1)) : 0;
      });
    } else {
      this.palette = [CrystalMap.DISTINCT[0]];
    }
    this.key();
    this.repaint();
  }

  repaint() {
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => { this.asked = null; this.paint(); });
  }

  /** A disc with a rim, drawn once for each colour, for drawing discs one by one is slow. */
  disc(color, radius, rim) {
    const side = Math.ceil(2 * radius + 3);
    const made = Object.assign(document.createElement("canvas"), { width: side, height: side });
    const pen = made.getContext("2d");
    pen.fillStyle = color;
    pen.strokeStyle = rim;
    pen.lineWidth = Math.max(0.6, radius / 6);
    pen.beginPath();
    pen.arc(side / 2, side / 2, radius, 0, 2 * Math.PI);
    pen.fill();
    pen.stroke();
    return made;
  }

  paint() {
    if (!this.view || !this.root.isConnected) return;
    const { width, height, dots, scale, least } = this.view;
    const css = getComputedStyle(this.holder);
    const color = (name) => css.getPropertyValue(`--${name}`).trim();
    const pen = this.canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const plain = this.size < 500 ? 5.5 : this.size < 5000 ? 4 : 2.6;
    const radius = dots * Math.min(8, plain * Math.sqrt(Math.sqrt(Math.max(1, scale / least))));
    const discs = this.palette.map((one) => this.disc(one, radius, color("rim")));
    const half = discs[0].width / 2;
    const put = (k) => {
      const [x, y] = this.at(k);
      if (x > -9 && y > -9 && x < width + 9 && y < height + 9) pen.drawImage(discs[this.paints[k]], x * dots - half, y * dots - half);
    };
    pen.globalAlpha = this.selected ? 0.13 : 1;
    for (const k of this.order) if (!this.selected || !this.selected.has(k)) put(k);
    pen.globalAlpha = 1;
    if (this.selected) for (const k of this.order) if (this.selected.has(k)) put(k);
    pen.setTransform(dots, 0, 0, dots, 0, 0);
    this.marks(pen, color, radius / dots);
    this.canvas.setAttribute("aria-label", this.told());
  }

  /** The chosen crystal, those most alike to it, and the lasso. */
  marks(pen, color, radius) {
    if (this.chosen >= 0) {
      pen.lineWidth = 1.5;
      pen.strokeStyle = color("accent");
      for (const { place } of this.alike(this.chosen)) {
        pen.beginPath();
        pen.arc(...this.at(place), radius + 3, 0, 2 * Math.PI);
        pen.stroke();
      }
      pen.lineWidth = 3;
      pen.strokeStyle = color("ink");
      pen.beginPath();
      pen.arc(...this.at(this.chosen), radius + 5, 0, 2 * Math.PI);
      pen.stroke();
    }
    if (!this.loop || this.loop.length < 2) return;
    pen.lineWidth = 2;
    pen.setLineDash([6, 4]);
    pen.strokeStyle = color("accent");
    pen.beginPath();
    for (const [x, y] of this.loop) pen.lineTo(x, y);
    pen.closePath();
    pen.stroke();
    pen.setLineDash([]);
  }

  told() {
    const column = this.columns[this.column];
    const what = `Map of ${this.size.toLocaleString("en")} crystals${column ? `, coloured by ${column.label}` : ""}`;
    const chosen = this.chosen >= 0 ? `; chosen: ${this.data.formulas[this.chosen]}, ${this.data.names[this.chosen]}` : "";
    return `${what}${chosen}. Arrow keys go from crystal to crystal.`;
  }

  // ---- crystals
  /** Those most alike to a crystal: [{place, likeness}, …]. */
  alike(k) {
    this.near ||= { of: null };
    if (this.near.of !== this.data) {
      this.near = { of: this.data, places: CrystalMap.unpacked(this.data.alike, Uint32Array), likeness: CrystalMap.unpacked(this.data.likeness, Float32Array) };
    }
    const { count } = this.data;
    return Array.from({ length: count }, (_, j) => ({ place: this.near.places[k * count + j], likeness: this.near.likeness[k * count + j] }));
  }

  choose(k) {
    this.chosen = k;
    const { view } = this;
    const [x, y] = view ? this.at(k) : [0, 0];
    if (view && (x < 0 || y < 0 || x > view.width || y > view.height)) [view.x, view.y] = [this.places[2 * k], this.places[2 * k + 1]];
    this.repaint();
    this.tell("chosen", k);
  }

  /** Select these places; the others fade. None for null. */
  select(places) {
    this.selected = places === null ? null : new Set(places);
    for (const one of this.keys.querySelectorAll("button")) one.setAttribute("aria-pressed", "false");
    if (places === null) this.find.value = "";
    this.said.textContent = places === null ? "" : `${this.selected.size.toLocaleString("en")} of ${this.size.toLocaleString("en")} crystals are selected`;
    this.repaint();
    this.tell("selected", places === null ? [] : [...this.selected]);
  }

  /** Words are parts of names and formulas; the symbol of an element means the element: O is not in Co. */
  search() {
    const words = this.find.value.split(/\s+/).filter(Boolean);
    const has = (k, word) => (/^[A-Z][a-z]?$/.test(word) ? this.elements[k].has(word) : this.words[k].includes(word.toLowerCase()));
    if (!words.length) this.select(null);
    else this.select(Array.from(this.words.keys()).filter((k) => words.every((word) => has(k, word))));
  }

  lassoed(on) {
    this.lassoing = on;
    this.lasso.setAttribute("aria-pressed", on ? "true" : "false");
    this.holder.classList.toggle("lassoing", on);
  }

  /** Places within the loop: an odd number of its edges lies to the right of each. */
  within(loop) {
    const inside = [];
    for (let k = 0; k < this.size; k++) {
      const [x, y] = this.at(k);
      let odd = false;
      for (let i = 0, j = loop.length - 1; i < loop.length; j = i++) {
        const [[xi, yi], [xj, yj]] = [loop[i], loop[j]];
        if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) odd = !odd;
      }
      if (odd) inside.push(k);
    }
    return inside;
  }

  /** The crystal under a point of the canvas, −1 for none; one that is selected comes first. */
  under(px, py) {
    let [best, least] = [-1, CrystalMap.NEAR ** 2];
    for (let k = 0; k < this.size; k++) {
      if (this.selected && !this.selected.has(k)) continue;
      const [x, y] = this.at(k);
      const away = (x - px) ** 2 + (y - py) ** 2;
      if (away < least) [best, least] = [k, away];
    }
    return best;
  }

  /** The next crystal from the chosen one in a direction of the screen: near, and not far aside. */
  next([dx, dy]) {
    if (this.chosen < 0) return 0;
    const [x0, y0] = this.at(this.chosen);
    let [best, least] = [this.chosen, Infinity];
    for (let k = 0; k < this.size; k++) {
      if (k === this.chosen || (this.selected && !this.selected.has(k))) continue;
      const [x, y] = this.at(k);
      const ahead = (x - x0) * dx + (y - y0) * dy;
      const aside = Math.abs((x - x0) * dy) + Math.abs((y - y0) * dx);
      if (ahead > 0 && aside <= 2 * ahead && ahead + 2 * aside < least) [best, least] = [k, ahead + 2 * aside];
    }
    return best;
  }

  // ---- what the reader does
  listen() {
    const { canvas } = this;
    let pressed = null;
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      canvas.setPointerCapture(event.pointerId);
      pressed = { from: place(event), last: place(event), moved: false };
      if (this.lassoing || event.shiftKey) this.loop = [place(event)];
    });
    canvas.addEventListener("pointermove", (event) => {
      const here = place(event);
      if (!pressed) { this.hover(here); return; }
      this.tip.hidden = true;
      pressed.moved ||= Math.hypot(here[0] - pressed.from[0], here[1] - pressed.from[1]) > 4;
      if (this.loop) this.loop.push(here);
      else if (pressed.moved) {
        this.view.x -= (here[0] - pressed.last[0]) / this.view.scale;
        this.view.y += (here[1] - pressed.last[1]) / this.view.scale;
      }
      pressed.last = here;
      this.repaint();
    });
    canvas.addEventListener("pointerup", (event) => {
      if (!pressed) return;
      const { moved } = pressed;
      const loop = this.loop;
      pressed = this.loop = null;
      if (loop && moved) {
        this.select(this.within(loop));
        this.lassoed(false);
      } else if (!moved) {
        const k = this.under(...place(event));
        if (k >= 0) this.choose(k);
      }
      this.repaint();
    });
    canvas.addEventListener("pointercancel", () => { pressed = this.loop = null; this.repaint(); });
    canvas.addEventListener("pointerleave", () => { this.tip.hidden = true; });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 400), place(event));
    }, { passive: false });
    canvas.addEventListener("dblclick", () => this.fit());
    canvas.addEventListener("keydown", (event) => this.typed(event));
  }

  typed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const acts = { "+": () => this.zoom(1.5), "-": () => this.zoom(1 / 1.5), 0: () => this.fit(), Escape: () => { this.select(null); this.lassoed(false); } };
    if (!(event.key in ways) && !(event.key in acts)) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key in ways) this.choose(this.next(ways[event.key]));
    else acts[event.key]();
  }

  hover([x, y]) {
    const k = this.under(x, y);
    this.tip.hidden = k < 0;
    if (k < 0) return;
    const column = this.columns[this.column];
    const value = column ? CrystalMap.valueOf(column, k) : "";
    this.tip.replaceChildren(Cell.formula(this.data.formulas[k], "map-formula"), ` ${this.data.names[k]}`);
    if (column) this.tip.append(Cell.make("br"), `${column.label}: ${value || "not known"}`);
    this.tip.style.left = `${Math.max(2, Math.min(x + 14, this.view.width - this.tip.offsetWidth - 4))}px`;
    this.tip.style.top = `${Math.max(2, Math.min(y - 12 - this.tip.offsetHeight, this.view.height - this.tip.offsetHeight))}px`;
  }
}
