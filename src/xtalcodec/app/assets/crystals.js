"use strict";
/* Crystals side by side, turning together, with their densities; and the steps of a path, with its curve. */
class Crystals {
  constructor(root, emit) {
    this.root = root;
    this.emit = emit;
    this.choice = { density: "off", level: 45, cut: 50, axis: 2, color: "element", bonds: true };
    this.step = 0;
    this.playing = null;
    this.fresh = () => this.paint();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", this.fresh);
    addEventListener("xtalcodec-theme", this.fresh);
  }

  close() {
    clearInterval(this.playing);
    matchMedia("(prefers-color-scheme: dark)").removeEventListener("change", this.fresh);
    removeEventListener("xtalcodec-theme", this.fresh);
  }

  /** Ring sites of the crystal: those that are chosen. */
  mark(sites) {
    if (!this.shown || !this.shown.views) return;
    this.shown.views.forEach((view) => { view.marked = sites; });
    this.paint();
  }

  /** {elements, views, path}: all views side by side, or, along a path, one at a time. */
  show(shown) {
    this.shown = shown;
    clearInterval(this.playing);
    this.playing = null;
    this.root.replaceChildren();
    if (!shown || !shown.views || !shown.views.length) return;
    this.step = Math.min(shown.start || 0, shown.views.length - 1);
    this.count = shown.path ? 1 : shown.views.length;
    this.root.append(this.tools(), this.figures(), this.keys());
    if (shown.path) this.root.append(this.walk());
    this.scene = Scene.linked(this.boxes, 1.6, (spot) => this.emit("picked", spot.site));
    this.paint();
  }

  // ---- what surrounds the pictures
  tools() {
    const bar = Cell.make("div", undefined, "tools");
    const dense = this.shown.views.some(({ density }) => density);
    const sites = this.shown.views.some(({ sites: own }) => own);
    if (dense) bar.append(this.choose("Density", "density", [["off", "hidden"], ["surface", "surface"], ["slice", "slice"]]));
    this.level = this.range("Surface at", "level", 2, 98);
    this.cut = this.range("Slice at", "cut", 0, 100);
    this.axis = this.choose("across", "axis", [["0", "a"], ["1", "b"], ["2", "c"]]);
    if (dense) bar.append(this.level, this.cut, this.axis);
    if (sites) {
      const away = this.shown.views.some(({ sites: own }) => own && own.some((site) => site.away !== null));
      bar.append(this.choose("Colours", "color", [["element", "elements"], ...(away ? [["away", "displacement"]] : []), ["sure", "confidence"]]));
    }
    const back = Cell.make("button", "Turn back");
    back.type = "button";
    back.addEventListener("click", () => this.scene.reset());
    bar.append(back);
    return bar;
  }

  choose(name, key, options) {
    const label = Cell.make("label", `${name} `);
    const select = document.createElement("select");
    select.dataset.key = key;
    for (const [value, text] of options) select.append(new Option(text, value, false, `${this.choice[key]}` === value));
    if (!options.some(([value]) => value === `${this.choice[key]}`)) this.choice[key] = options[0][0];
    select.addEventListener("change", () => { this.choice[key] = select.value; this.paint(); });
    label.append(select);
    return label;
  }

  range(name, key, least, most) {
    const label = Cell.make("label", `${name} `);
    const input = document.createElement("input");
    Object.assign(input, { type: "range", min: least, max: most, value: this.choice[key] });
    input.dataset.key = key;
    const output = document.createElement("output");
    input.addEventListener("input", () => { this.choice[key] = Number(input.value); this.paint(); });
    label.append(input, output);
    label.say = (text) => { output.textContent = text; input.setAttribute("aria-valuetext", text); };
    return label;
  }

  figures() {
    const all = Cell.make("div", undefined, "figures");
    all.style.setProperty("--count", this.count);
    this.boxes = [];
    this.captions = [];
    for (let k = 0; k < this.count; k++) {
      const [figure, box, caption] = [document.createElement("figure"), Cell.make("div", undefined, "view"), document.createElement("figcaption")];
      box.tabIndex = 0;
      box.setAttribute("role", "img");
      const facts = Cell.make("div", undefined, "cell");
      const holder = Cell.make("div", undefined, "holder");
      holder.append(box);
      figure.append(caption, holder, facts);
      all.append(figure);
      this.boxes.push(box);
      this.captions.push({ caption, facts, holder });
    }
    return all;
  }

  keys() {
    this.legend = Cell.make("div", undefined, "legend");
    this.scale = Cell.make("div", undefined, "scale");
    const foot = Cell.make("div", undefined, "keys");
    foot.append(this.legend, this.scale, Cell.make("span", "Drag to turn, scroll to zoom; or arrow keys, + and −. Spheres: ½ covalent radius.", "hint"));
    return foot;
  }

  // ---- along a path
  walk() {
    const { path, views } = this.shown;
    const part = Cell.make("div", undefined, "walk");
    const play = Cell.make("button", "Play");
    play.type = "button";
    const label = Cell.make("label", "Step ");
    const slider = document.createElement("input");
    Object.assign(slider, { type: "range", min: 0, max: views.length - 1, value: this.step });
    slider.dataset.key = "step";
    label.append(slider);
    const curve = this.curve(path);
    const go = (step) => {
      this.step = step;
      slider.value = step;
      slider.setAttribute("aria-valuetext", views[step].title);
      curve.mark(step);
      this.paint();
      this.emit("step", step);
    };
    slider.addEventListener("input", () => go(Number(slider.value)));
    play.addEventListener("click", () => {
      clearInterval(this.playing);
      this.playing = this.playing === null ? setInterval(() => go((this.step + 1) % views.length), 700) : null;
      play.textContent = this.playing === null ? "Play" : "Pause";
    });
    const bar = Cell.make("div", undefined, "tools");
    bar.append(play, label);
    part.append(bar, curve.node);
    curve.mark(this.step);
    return part;
  }

  /** Confidence, and the energy where it is known, over the path. */
  curve({ shares, confidence, energy }) {
    const [width, height, left, right, top, bottom] = [640, 170, 52, energy.length ? 62 : 26, 14, 34];
    const node = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    node.setAttribute("viewBox", `0 0 ${width} ${height}`);
    node.setAttribute("role", "img");
    const add = (tag, attributes, text) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
      for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
      if (text !== undefined) made.textContent = text;
      node.append(made);
      return made;
    };
    const x = (share) => left + share * (width - left - right);
    const known = energy.filter((value) => value !== null && value !== undefined);
    const [low, high] = known.length ? [Math.min(...known), Math.max(...known)] : [0, 1];
    const pad = (high - low || 0.1) * 0.08;
    const y = (value, from, to) => top + (1 - (value - from) / (to - from)) * (height - top - bottom);
    for (const value of [0, 0.5, 1]) {
      add("line", { x1: left, x2: width - right, y1: y(value, 0, 1), y2: y(value, 0, 1), class: "grid" });
      add("text", { x: left - 8, y: y(value, 0, 1) + 4, class: "tick end first" }, `${value}`);
    }
    for (const share of [0, 0.25, 0.5, 0.75, 1]) add("text", { x: x(share), y: height - 18, class: "tick middle" }, `${100 * share} %`);
    add("text", { x: x(0.5), y: height - 3, class: "tick middle" }, "of the way");
    add("text", { x: 12, y: (height - bottom + top) / 2, class: "tick middle first", transform: `rotate(-90 12 ${(height - bottom + top) / 2})` }, "confidence");
    const draw = (values, place, kind) => {
      const points = values.map((value, k) => (value === null || value === undefined ? null : [x(shares[k]), place(value)])).filter(Boolean);
      add("polyline", { points: points.map((p) => p.join(",")).join(" "), class: `curve ${kind}` });
      for (const [cx, cy] of points) {
        if (kind === "first") add("circle", { cx, cy, r: 3.5, class: `dot ${kind}` });
        else add("rect", { x: cx - 3.2, y: cy - 3.2, width: 6.4, height: 6.4, class: `dot ${kind}` });
      }
    };
    draw(confidence, (value) => y(value, 0, 1), "first");
    if (known.length) {
      draw(energy, (value) => y(value, low - pad, high + pad), "second");
      for (const value of [low, high]) add("text", { x: width - right + 6, y: y(value, low - pad, high + pad) + 4, class: "tick second" }, value.toFixed(2));
      add("text", { x: width - 8, y: (height - bottom + top) / 2, class: "tick middle second", transform: `rotate(90 ${width - 8} ${(height - bottom + top) / 2})` }, "eV per atom");
    }
    const line = add("line", { y1: top, y2: height - bottom, class: "now" });
    const told = (step) => `${this.shown.views[step].title}: confidence ${confidence[step].toFixed(2)}` +
      (known.length && energy[step] !== null ? `, ${energy[step].toFixed(2)} eV per atom` : "");
    return {
      node,
      mark: (step) => {
        line.setAttribute("x1", x(shares[step]));
        line.setAttribute("x2", x(shares[step]));
        node.setAttribute("aria-label", `Curve along the path; ${told(step)}`);
      },
    };
  }

  // ---- the pictures
  now() {
    return this.shown.path ? [this.shown.views[this.step]] : this.shown.views;
  }

  /** Least and most of all densities, so that colours and levels mean the same in every picture. */
  span() {
    const all = this.shown.views.filter(({ density }) => density).map(({ density }) => [density.low, density.low + 65535 * density.step]);
    return [Math.min(...all.map(([low]) => low)), Math.max(...all.map(([, high]) => high))];
  }

  paint() {
    if (!this.shown || !this.scene || !this.root.isConnected) return;
    const { elements } = this.shown;
    const views = this.now();
    const there = this.shown.views.map(({ crystal }) => crystal).filter(Boolean);
    const radius = there.length ? Cell.reach(there) : 1;
    views.forEach((view, side) => {
      const { caption, facts, holder } = this.captions[side];
      caption.replaceChildren(Cell.make("b", view.title));
      facts.replaceChildren();
      holder.querySelector(".reason")?.remove();
      if (!view.crystal) {
        this.scene.draw(side, null, radius);
        holder.append(Cell.make("p", view.reason || "No crystal was decoded.", "reason"));
        return;
      }
      const line = Cell.make("span");
      line.append(Cell.formula(view.crystal.formula), " · ", Cell.group(view.group || "—"));
      caption.append(line);
      for (const text of Cell.lines(view.crystal, elements)) facts.append(Cell.make("div", text));
      if (view.reason) facts.append(Cell.make("div", view.reason, "bad"));
      this.boxes[side].setAttribute("aria-label", `${view.title}: ${view.crystal.formula}, ${view.group || "no symmetry found"}, ${view.crystal.numbers.length} sites`);
      const shared = Boolean(view.crystal.shares);
      this.scene.draw(side, (colors, axes) => this.parts(view, colors, axes), radius, shared);
    });
    this.legend.replaceChildren(...(there.length ? Cell.legend(views.map(({ crystal }) => crystal).filter(Boolean).concat(there), elements) : []));
    this.tell();
  }

  parts(view, colors, axes) {
    const { density, color } = this.choice;
    const look = (site) => {
      const own = view.sites && view.sites[site];
      const size = density === "off" ? 1 : 0.45; // so that the density is seen
      const ring = view.marked && view.marked.includes(site) ? view.ringed || "chosen" : "";
      if (!own) return { size, text: ring };
      const text = [ring, own.away === null ? "" : `${own.away.toFixed(3)} Å off`, `confidence ${own.sure.toFixed(2)}`].filter(Boolean).join(", ");
      return color === "element" ? { text, size } : { text, size, color: this.siteColor(own) };
    };
    const parts = Cell.parts(view.crystal, this.shown.elements, colors, axes, { bonds: density === "off", look });
    if (view.marked && view.marked.length) parts.push(Scene.rings(parts.flatMap(({ spots }) => spots || []), view.marked, colors));
    if (!view.density || density === "off") return parts;
    const place = Cell.placing(view.crystal);
    const field = Surface.closed(Surface.unpacked(view.density));
    const range = this.span();
    if (density === "surface") {
      const { values, ...rest } = Surface.mesh(field, this.value(), place);
      return [...parts, Scene.mesh({ ...rest, colors: values.map((value) => Surface.shade(value, range)), opacity: 0.62 })];
    }
    const { values, ...rest } = Surface.plane(field, Number(this.choice.axis), this.choice.cut / 100, place);
    return [...parts, Scene.mesh({ ...rest, colors: values.map((value) => Surface.shade(value, range, Surface.VIRIDIS)) })];
  }

  value() {
    const [low, high] = this.span();
    return low + ((high - low) * this.choice.level ** 2) / 1e4; // finer where most of the cell is
  }

  siteColor(site) {
    if (this.choice.color === "sure") return Surface.shade(site.sure, [0, 1], Surface.VIRIDIS);
    return Surface.shade(site.away ?? 0, [0, this.farthest()], Surface.VIRIDIS);
  }

  farthest() {
    const all = this.shown.views.flatMap(({ sites }) => sites || []).map(({ away }) => away || 0);
    return Math.max(0.01, ...all);
  }

  /** The legend of what has a scale, with its unit. */
  tell() {
    const { density, color } = this.choice;
    this.level.hidden = density !== "surface";
    this.cut.hidden = this.axis.hidden = density !== "slice";
    this.scale.replaceChildren();
    const bar = (name, from, to, scale) => {
      const strip = Cell.make("i");
      strip.style.background = `linear-gradient(90deg, ${scale.join(", ")})`;
      const item = Cell.make("span");
      item.append(`${name}: ${from}`, strip, to);
      this.scale.append(item);
    };
    if (density !== "off" && this.shown.views.some(({ density: own }) => own)) {
      const [low, high] = this.span();
      this.level.say(`${this.value().toFixed(2)} e/Å³`);
      this.cut.say(`${this.choice.cut} %`);
      bar("density", `${Math.max(0, low).toFixed(2)}`, `${high.toFixed(1)} e/Å³`, density === "slice" ? Surface.VIRIDIS : Surface.ORANGES);
    }
    if (color === "away") bar("displacement", "0", `${this.farthest().toFixed(3)} Å`, Surface.VIRIDIS);
    if (color === "sure") bar("confidence", "0", "1", Surface.VIRIDIS);
  }
}

/* Pictures of many crystals, made one after another by one hidden scene. */
const Thumbnails = (() => {
  let scene = null;
  let box = null;
  const open = () => {
    if (scene) return;
    box = Cell.make("div", undefined, "studio");
    box.setAttribute("aria-hidden", "true");
    document.body.append(box);
    scene = Scene.linked([box], 1.6);
  };
  /** Address of a picture of a crystal on the colour of the card. */
  const of = (view, elements) => {
    open();
    scene.draw(0, (colors, axes) => Cell.parts(view.crystal, elements, colors, axes), Cell.reach([view.crystal]));
    return scene.picture(0);
  };
  const waiting = [];
  const next = () => {
    try {
      waiting[0]();
    } finally {
      waiting.shift();
      if (waiting.length) setTimeout(next);
    }
  };
  /** Make a picture when those before it are made; between two of them the reader is heard. */
  const later = (make) => {
    waiting.push(make);
    if (waiting.length === 1) setTimeout(next);
  };
  return { of, later };
})();
