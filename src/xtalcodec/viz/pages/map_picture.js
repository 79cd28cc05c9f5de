"use strict";
/* The picture of a map: points on a canvas, and what a pointer and keys do on it. */
class MapPicture {
  static NEAR = 9; // points of the screen: a pointer so near to a crystal means it

  /** Of a `CrystalMap`, which knows the crystals, their colours, and which are chosen and selected. */
  constructor(map) {
    this.map = map;
    this.watching = new ResizeObserver(() => { this.fit(); });
    this.watching.observe(this.field());
  }

  close() { this.watching.disconnect(); }

  // ---- what is seen
  field() {
    this.holder = Cell.make("div", undefined, "map-field");
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.tip = Cell.make("span", undefined, "tip");
    this.tip.hidden = true;
    const [across, up] = this.map.data.axes;
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
    for (let k = 0; k < this.map.places.length; k++) {
      const axis = k & 1;
      low[axis] = Math.min(low[axis], this.map.places[k]);
      high[axis] = Math.max(high[axis], this.map.places[k]);
    }
    const span = [0, 1].map((axis) => high[axis] - low[axis] || 1);
    const scale = 0.9 * Math.min((width - 24) / span[0], (height - 24) / span[1]);
    this.view = { scale, least: scale, x: (low[0] + high[0]) / 2, y: (low[1] + high[1]) / 2, width, height, dots };
    this.repaint();
  }

  at(k) {
    const { scale, x, y, width, height } = this.view;
    return [width / 2 + (this.map.places[2 * k] - x) * scale, height / 2 - (this.map.places[2 * k + 1] - y) * scale];
  }

  /** Move to a crystal that is out of sight. */
  reveal(k) {
    const { view } = this;
    const [x, y] = view ? this.at(k) : [0, 0];
    if (view && (x < 0 || y < 0 || x > view.width || y > view.height)) [view.x, view.y] = [this.map.places[2 * k], this.map.places[2 * k + 1]];
    this.repaint();
  }

  zoom(by, [px, py] = [this.view.width / 2, this.view.height / 2]) {
    const { view } = this;
    const scale = Math.max(view.least / 2, Math.min(view.least * 400, view.scale * by));
    view.x += (px - view.width / 2) * (1 / view.scale - 1 / scale);
    view.y -= (py - view.height / 2) * (1 / view.scale - 1 / scale);
    view.scale = scale;
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
    if (!this.view || !this.holder.isConnected) return;
    const { width, height, dots, scale, least } = this.view;
    const css = getComputedStyle(this.holder);
    const color = (name) => css.getPropertyValue(`--${name}`).trim();
    const pen = this.canvas.getContext("2d");
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const plain = this.map.size < 500 ? 5.5 : this.map.size < 5000 ? 4 : 2.6;
    const radius = dots * Math.min(8, plain * Math.sqrt(Math.sqrt(Math.max(1, scale / least))));
    const discs = this.map.palette.map((one) => this.disc(one, radius, color("rim")));
    const half = discs[0].width / 2;
    const put = (k) => {
      const [x, y] = this.at(k);
      if (x > -9 && y > -9 && x < width + 9 && y < height + 9) pen.drawImage(discs[this.map.paints[k]], x * dots - half, y * dots - half);
    };
    pen.globalAlpha = this.map.selected ? 0.13 : 1;
    for (const k of this.map.order) if (!this.map.selected || !this.map.selected.has(k)) put(k);
    pen.globalAlpha = 1;
    if (this.map.selected) for (const k of this.map.order) if (this.map.selected.has(k)) put(k);
    pen.setTransform(dots, 0, 0, dots, 0, 0);
    this.marks(pen, color, radius / dots);
    this.canvas.setAttribute("aria-label", this.map.told());
  }

  /** The chosen crystal, those most alike to it, and the lasso. */
  marks(pen, color, radius) {
    if (this.map.chosen >= 0) {
      pen.lineWidth = 1.5;
      pen.strokeStyle = color("accent");
      for (const { place } of this.map.alike(this.map.chosen)) {
        pen.beginPath();
        pen.arc(...this.at(place), radius + 3, 0, 2 * Math.PI);
        pen.stroke();
      }
      pen.lineWidth = 3;
      pen.strokeStyle = color("ink");
      pen.beginPath();
      pen.arc(...this.at(this.map.chosen), radius + 5, 0, 2 * Math.PI);
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

  // ---- crystals at places
  /** Places within the loop: an odd number of its edges lies to the right of each. */
  within(loop) {
    const inside = [];
    for (let k = 0; k < this.map.size; k++) {
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
    let [best, least] = [-1, MapPicture.NEAR ** 2];
    for (let k = 0; k < this.map.size; k++) {
      if (this.map.selected && !this.map.selected.has(k)) continue;
      const [x, y] = this.at(k);
      const away = (x - px) ** 2 + (y - py) ** 2;
      if (away < least) [best, least] = [k, away];
    }
    return best;
  }

  /** The next crystal from the chosen one in a direction of the screen: near, and not far aside. */
  next([dx, dy]) {
    if (this.map.chosen < 0) return 0;
    const [x0, y0] = this.at(this.map.chosen);
    let [best, least] = [this.map.chosen, Infinity];
    for (let k = 0; k < this.map.size; k++) {
      if (k === this.map.chosen || (this.map.selected && !this.map.selected.has(k))) continue;
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
      if (this.map.lassoing || event.shiftKey) this.loop = [place(event)];
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
        this.map.select(this.within(loop));
        this.map.lassoed(false);
      } else if (!moved) {
        const k = this.under(...place(event));
        if (k >= 0) this.map.choose(k);
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
    const acts = { "+": () => this.zoom(1.5), "-": () => this.zoom(1 / 1.5), 0: () => this.fit(), Escape: () => { this.map.select(null); this.map.lassoed(false); } };
    if (!(event.key in ways) && !(event.key in acts)) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key in ways) this.map.choose(this.next(ways[event.key]));
    else acts[event.key]();
  }

  hover([x, y]) {
    const k = this.under(x, y);
    this.tip.hidden = k < 0;
    if (k < 0) return;
    const column = this.map.columns[this.map.column];
    const value = column ? CrystalMap.valueOf(column, k) : "";
    this.tip.replaceChildren(Cell.formula(this.map.data.formulas[k], "map-formula"), ` ${this.map.data.names[k]}`);
    if (column) this.tip.append(Cell.make("br"), `${column.label}: ${value || "not known"}`);
    this.tip.style.left = `${Math.max(2, Math.min(x + 14, this.view.width - this.tip.offsetWidth - 4))}px`;
    this.tip.style.top = `${Math.max(2, Math.min(y - 12 - this.tip.offsetHeight, this.view.height - this.tip.offsetHeight))}px`;
  }
}
