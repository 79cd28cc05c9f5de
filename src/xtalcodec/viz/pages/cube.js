/* What the pages of windows share: surfaces of equal density and atoms in a cube, and a list to choose a line of. */
const Cube = (() => {
  const SHADES = [[0, "#fbe3d3"], [0.5, "#e8834f"], [1, "#8f2d12"]];
  const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
  const at = (id) => document.getElementById(id);

  /** An element; text reaches the page as text, never as HTML. */
  const make = (tag, text, kind) => {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    if (kind) node.className = kind;
    return node;
  };

  // ---- densities: 16 bits a point; x is the slowest index
  const unpack = ({ points, low, step, values }) => {
    const bytes = Uint8Array.from(atob(values), (c) => c.charCodeAt(0));
    const numbers = new DataView(bytes.buffer);
    return Float32Array.from({ length: points ** 3 }, (_, k) => low + step * numbers.getUint16(2 * k, true));
  };
  const unpacked = new WeakMap();
  const field = (density) => {
    if (!unpacked.has(density)) unpacked.set(density, unpack(density));
    return unpacked.get(density);
  };
  // ---- what is drawn in a cube whose middle is the origin
  /** Å from the middle: half of the cube's diagonal, and an atom's size. */
  const reach = (edge) => 0.87 * edge + 0.9;
  const cube = (edge, colors) => Scene.edges((p) => p.map((x) => (x - 0.5) * edge), colors);
  /** Colour of a value between two: "#rrggbb". */
  const shade = (value, [low, high]) => {
    const share = Math.max(0, Math.min(1, (value - low) / (high - low)));
    const next = SHADES.findIndex(([place]) => place >= share);
    const [[from, a], [to, b]] = [SHADES[Math.max(0, next - 1)], SHADES[next]];
    const part = to > from ? (share - from) / (to - from) : 0;
    const channel = (color, k) => parseInt(color.slice(1 + 2 * k, 3 + 2 * k), 16);
    return `#${[0, 1, 2].map((k) => Math.round(channel(a, k) + part * (channel(b, k) - channel(a, k))).toString(16).padStart(2, "0")).join("")}`;
  };
  /** Parts of where a density is `level`; the colours go from `low` to `high`, and show the density on cut faces. */
  const surface = (density, edge, level, range, colors) => {
    const { points } = density;
    const { values, ...rest } = Surface.mesh({ size: [points, points, points], values: field(density) }, level, (p) => p.map((x) => (x - 0.5) * edge));
    return [cube(edge, colors), Scene.mesh({ ...rest, colors: values.map((value) => shade(value, range)) })];
  };
  /** Parts of atoms. */
  const structure = ({ numbers, positions, shares }, edge, elements, colors, axes) => {
    const all = numbers.map((z, k) => ({
      z, shares: shares && shares[k], at: positions[k].map((x) => x - edge / 2), text: `${positions[k].map((x) => x.toFixed(2)).join("  ")} Å`,
    }));
    return [cube(edge, colors), Scene.spheres(all, elements, axes, colors)];
  };
  /** Names the elements of all these atomic numbers, lightest first. */
  const legend = (numbers, elements) => {
    const present = [...new Set(numbers)].sort((i, j) => i - j);
    at("legend").replaceChildren(...present.map((z) => {
      const [item, ball] = [make("span"), make("i")];
      ball.style.background = elements[z][1];
      item.append(ball, elements[z][0]);
      return item;
    }));
  };

  /**
   * Fills the list: a click, a key of `steps` or the page's address chooses a line, and `show` gets its index.
   * Returns what chooses a line.
   */
  const list = (lines, show, steps = STEPS) => {
    let chosen = -1;
    const choose = (index) => {
      if (chosen >= 0) lines[chosen].removeAttribute("aria-selected");
      chosen = index;
      lines[index].setAttribute("aria-selected", "true");
      lines[index].scrollIntoView({ block: "nearest" });
      show(index);
      try { history.replaceState(null, "", `#${index + 1}`); } catch { /* a page inside another has no address of its own */ }
    };
    lines.forEach((line, index) => { line.dataset.index = index; });
    at("rows").replaceChildren(...lines);
    at("rows").addEventListener("click", (event) => {
      const line = event.target.closest("tr");
      if (line) choose(Number(line.dataset.index));
    });
    document.addEventListener("keydown", (event) => {
      if (!(event.key in steps) || event.target === at("level") || !lines.length || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      choose(Math.max(0, Math.min(lines.length - 1, chosen + steps[event.key])));
    });
    const asked = Number(location.hash.slice(1)) - 1;
    if (lines.length) choose(lines[asked] ? asked : 0);
    return choose;
  };

  return { STEPS, at, make, reach, surface, structure, legend, list };
})();
