/* What the pages of windows share: surfaces of equal density and atoms in a cube, and a list to choose a line of. */
const Cube = (() => {
  const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
  const at = (id) => document.getElementById(id);

  /** An element; text reaches the page as text, never as HTML. */
  const make = (tag, text, kind) => {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    if (kind) node.className = kind;
    return node;
  };

  // ---- what is drawn in a cube whose middle is the origin
  /** Å from the middle: half of the cube's diagonal, and an atom's size. */
  const reach = (edge) => 0.87 * edge + 0.9;
  const cube = (edge, colors) => Scene.edges((p) => p.map((x) => (x - 0.5) * edge), colors);
  /** Parts of where a density is `level`; the colours go from `low` to `high`, and show the density on cut faces. */
  const surface = (density, edge, level, range, colors) => {
    const { values, ...rest } = Surface.mesh(Surface.unpacked(density), level, (p) => p.map((x) => (x - 0.5) * edge));
    return [cube(edge, colors), Scene.mesh({ ...rest, colors: values.map((value) => Surface.shade(value, range)) })];
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
