"use strict";
/* A map of crystals: their colours and legend, which is chosen, which are selected; MapPicture draws them. */
class CrystalMap {
  static CIVIDIS = ["#00224e", "#1a386f", "#434e6c", "#61656f", "#7d7c78", "#9b9476", "#bcae6c", "#dec958", "#fee838"];
  /** Okabe & Ito's colours, which colour-blind readers can tell. */
  static DISTINCT = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442"];
  static UNKNOWN = "#9aa3ad";
  static REST = "#5f6770"; // categories beyond the colours there are

  /** Numbers in base64, as they are sent. */
  static unpacked(text, Kind) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    return new Kind(bytes.buffer);
  }

  /** `tell(name, value)`: "chosen" with the place of a crystal, "selected" with places, "coloured" with a column's name. */
  constructor(root, tell) {
    this.root = root;
    this.tell = tell;
    this.fresh = () => { if (this.picture) this.picture.repaint(); };
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.dark.addEventListener("change", this.fresh);
    addEventListener("xtalcodec-theme", this.fresh);
  }

  close() {
    this.dark.removeEventListener("change", this.fresh);
    removeEventListener("xtalcodec-theme", this.fresh);
    if (this.picture) this.picture.close();
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
    if (this.picture) this.picture.close();
    this.picture = new MapPicture(this);
    this.root.replaceChildren(this.tools(), this.picture.holder, this.legend());
    this.picture.fit();
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
    const [nearer, farther] = [this.button("+", () => this.picture.zoom(1.5)), this.button("−", () => this.picture.zoom(1 / 1.5))];
    nearer.setAttribute("aria-label", "Nearer");
    farther.setAttribute("aria-label", "Farther");
    bar.append(this.find, this.lasso, nearer, farther, this.button("Show all", () => { this.select(null); this.picture.fit(); }));
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

  // ---- colours, and words for what is seen
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
    this.picture.repaint();
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
    this.picture.reveal(k);
    this.tell("chosen", k);
  }

  /** Select these places; the others fade. None for null. */
  select(places) {
    this.selected = places === null ? null : new Set(places);
    for (const one of this.keys.querySelectorAll("button")) one.setAttribute("aria-pressed", "false");
    if (places === null) this.find.value = "";
    this.said.textContent = places === null ? "" : `${this.selected.size.toLocaleString("en")} of ${this.size.toLocaleString("en")} crystals are selected`;
    this.picture.repaint();
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
    this.picture.holder.classList.toggle("lassoing", on);
  }
}
