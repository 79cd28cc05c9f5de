(() => {
  const { rows, elements, edge } = JSON.parse(document.getElementById("data").textContent);
  const { edges, spheres, linked } = Scene;
  const at = (id) => document.getElementById(id);
  const RADIUS = 0.87 * edge + 0.9; // Å: half of the cube's diagonal, and an atom's size
  const SHADES = [[0, "#fbe3d3"], [0.5, "#e8834f"], [1, "#8f2d12"]];
  const views = [0, 1, 2, 3].map((k) => at(`view${k}`));
  const { draw, reset } = linked(views, 2.5);
  let chosen = -1;

  const make = (tag, text, kind) => {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    if (kind) node.className = kind;
    return node;
  };
  const scientific = (x) => (x === 0 ? "0" : x.toExponential(1));
  const right = (row) => row.count && row.species === row.atoms[0].numbers.length;

  // ---- densities: 16 bits a point; x is the slowest index
  const unpack = ({ points, low, step, values }) => {
    const bytes = Uint8Array.from(atob(values), (c) => c.charCodeAt(0));
    const numbers = new DataView(bytes.buffer);
    return Float32Array.from({ length: points ** 3 }, (_, k) => low + step * numbers.getUint16(2 * k, true));
  };
  const grids = new Map();
  const grid = (points) => {
    if (!grids.has(points)) {
      const place = (k) => (edge * k) / (points - 1) - edge / 2;
      const index = (divisor) => Float32Array.from({ length: points ** 3 }, (_, k) => place(Math.floor(k / divisor) % points));
      grids.set(points, { x: index(points ** 2), y: index(points), z: index(1) });
    }
    return grids.get(points);
  };
  const unpacked = new Map();
  const field = (index, side) => {
    const key = 2 * index + side;
    if (!unpacked.has(key)) unpacked.set(key, unpack(rows[index].densities[side]));
    return unpacked.get(key);
  };

  const cube = (p) => p.map((x) => (x - 0.5) * edge);
  /** The value that the slider stands at: a share of the true density's range, so that both surfaces mean the same. */
  const level = () => {
    const { low, step } = rows[chosen].densities[0];
    return low + (65535 * step * Number(at("level").value)) / 100;
  };
  const surface = (side) => (colors) => {
    const [value, top] = [field(chosen, side), rows[chosen].densities.map(({ low, step }) => low + 65535 * step)];
    const low = Math.min(...rows[chosen].densities.map((density) => density.low));
    return [
      edges(cube, colors),
      {
        type: "isosurface", ...grid(rows[chosen].densities[side].points), value, isomin: level(), isomax: Math.max(...top) * 1.0001,
        cmin: low, cmax: Math.max(...top), colorscale: SHADES, showscale: false, surface: { count: 2 },
        caps: { x: { show: true }, y: { show: true }, z: { show: true } },
        hovertemplate: "%{value:.2f} e/Å³<extra></extra>",
        lighting: { ambient: 0.45, diffuse: 0.65, specular: 0.08, roughness: 0.6, fresnel: 0.05 },
        lightposition: { x: -2e4, y: 3e4, z: -2e4 },
      },
    ];
  };
  const structure = (side) => (colors) => {
    const { numbers, positions } = rows[chosen].atoms[side];
    const all = numbers.map((z, k) => ({
      z, at: positions[k].map((x) => x - edge / 2), text: `${positions[k].map((x) => x.toFixed(2)).join("  ")} Å`,
    }));
    return [edges(cube, colors), ...spheres(all, elements)];
  };
  const paintDensities = () => {
    if (chosen < 0) return;
    at("value").textContent = `${level().toFixed(2)} e/Å³`;
    for (const side of [0, 1]) draw(side, surface(side), RADIUS);
  };
  const paint = () => {
    if (chosen < 0) return;
    paintDensities();
    for (const side of [0, 1]) draw(2 + side, structure(side), RADIUS);
  };

  // ---- the list
  const lines = rows.map((row, index) => {
    const line = document.createElement("tr");
    line.dataset.index = index;
    const [before, after] = row.atoms.map(({ numbers }) => numbers.length);
    const name = make("td", row.name, "name");
    name.title = row.name;
    line.append(
      make("td", right(row) ? "✓" : "✗", `state ${right(row) ? "good" : "bad"}`), make("td", row.formula, "formula"), name,
      make("td", before === after ? `${before}` : `${before} → ${after}`, `number ${before === after ? "" : "bad"}`),
      make("td", scientific(row.mse), "number"),
    );
    return line;
  });
  at("rows").replaceChildren(...lines);
  at("count").textContent = `${rows.length} crystals`;
  at("empty").hidden = rows.length > 0;

  const choose = (index) => {
    if (chosen >= 0) lines[chosen].removeAttribute("aria-selected");
    chosen = index;
    const row = rows[index];
    lines[index].setAttribute("aria-selected", "true");
    lines[index].scrollIntoView({ block: "nearest" });
    at("name").textContent = row.name || row.formula;
    at("badge").textContent = right(row) ? "every atom right" : row.count ? "species differ" : "number of atoms differs";
    at("badge").className = `badge ${right(row) ? "good" : "bad"}`;
    const counts = row.atoms.map(({ numbers }) => numbers.length);
    at("caption0").textContent = row.formula;
    at("caption1").textContent = `MSE ${scientific(row.mse)} e²/Å⁶`;
    at("caption2").textContent = `${counts[0]} in the window of ${edge} Å`;
    at("caption3").textContent = `${counts[1]}; right species at ${row.species} of ${counts[0]}`;
    const present = [...new Set(row.atoms.flatMap(({ numbers }) => numbers))].sort((i, j) => i - j);
    at("legend").replaceChildren(...present.map((z) => {
      const [item, ball] = [make("span"), make("i")];
      ball.style.background = elements[z][1];
      item.append(ball, elements[z][0]);
      return item;
    }));
    paint();
    try { history.replaceState(null, "", `#${index + 1}`); } catch { /* a page inside another has no address of its own */ }
  };

  // ---- what the reader does
  at("rows").addEventListener("click", (event) => {
    const line = event.target.closest("tr");
    if (line) choose(Number(line.dataset.index));
  });
  at("level").addEventListener("input", paintDensities);
  const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
  document.addEventListener("keydown", (event) => {
    if (!(event.key in STEPS) || event.target === at("level") || !rows.length || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    choose(Math.max(0, Math.min(rows.length - 1, chosen + STEPS[event.key])));
  });
  for (const view of views) view.addEventListener("dblclick", () => { reset(); paint(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);

  const asked = Number(location.hash.slice(1)) - 1;
  if (rows.length) choose(rows[asked] ? asked : 0);
})();
