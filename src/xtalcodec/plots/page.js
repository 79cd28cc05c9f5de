"use strict";
(() => {
  const { rows, elements } = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const SPHERE = 0.5; // of the covalent radius
  const FACE = 0.25; // Å: an atom this near to a face of the cell is drawn on the opposite face too
  const CORNERS = [0, 1, 2, 3, 4, 5, 6, 7].map((k) => [k & 1, (k >> 1) & 1, (k >> 2) & 1]);
  const FILL = 1.5; // of a view by the sphere that holds the cell; its corners are never all at the rim
  const START = {
    camera: {
      eye: { x: 1.55, y: 0.62, z: 0.42 }, up: { x: 0, y: 0, z: 1 }, center: { x: 0, y: 0, z: 0 },
      projection: { type: "orthographic" },
    },
    aspectratio: { x: FILL, y: FILL, z: FILL }, // in an orthographic scene this is the zoom
  };

  // ---- vectors: arrays of three; rows of a lattice are its cell vectors
  const dot = (u, v) => u[0] * v[0] + u[1] * v[1] + u[2] * v[2];
  const cross = (u, v) => [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
  const norm = (u) => Math.sqrt(dot(u, u));
  const cartesian = (x, lattice) => [0, 1, 2].map((k) => x[0] * lattice[0][k] + x[1] * lattice[1][k] + x[2] * lattice[2][k]);
  const degrees = (u, v) => (Math.acos(Math.max(-1, Math.min(1, dot(u, v) / norm(u) / norm(v)))) * 180) / Math.PI;

  /** The lattice turned so that c points up and a lies in the plane of x and z; handedness stays. */
  const upright = ([a, b, c]) => {
    const scaled = (u, by) => u.map((x) => x / by);
    const up = scaled(c, norm(c));
    const flat = a.map((x, k) => x - dot(a, up) * up[k]);
    const front = scaled(flat, norm(flat));
    const side = cross(up, front);
    return [a, b, c].map((v) => [dot(v, front), dot(v, side), dot(v, up)]);
  };

  // ---- text; every string of a crystal reaches the page as text, never as HTML
  const make = (tag, text, kind) => {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    if (kind) node.className = kind;
    return node;
  };
  const formula = (text, kind) => {
    const node = make("span", undefined, kind);
    for (const part of text.split(/(\d+(?:\.\d+)?)/)) if (part) node.append(/^\d/.test(part) ? make("sub", part) : part);
    return node;
  };
  const plainGroup = (text) => text.replace(/[\s_]/g, "");
  /** P 4_2/m n m and P4_2/mnm alike: screw axes as subscripts, inversion axes overlined. */
  const group = (text, kind) => {
    const node = make("span", undefined, kind);
    for (const part of text.replace(/\s/g, "").split(/(_\d|-\d)/)) {
      if (/^_\d$/.test(part)) node.append(make("sub", part[1]));
      else if (/^-\d$/.test(part)) node.append(make("span", part[1], "overline"));
      else node.append(part);
    }
    return node;
  };
  const fixed = (x, digits) => (x === null ? "—" : x.toFixed(digits));
  const state = (row) => (row.matched ? "matched" : row.crystals[1] ? "missed" : "not decoded");
  const counts = (row) => row.crystals.map((crystal) => (crystal ? crystal.numbers.length : 0));

  // ---- the list
  const KEYS = {
    state: (row) => ["not decoded", "missed", "matched"].indexOf(state(row)),
    name: (row) => row.name,
    formula: (row) => row.crystals[0].formula,
    group: (row) => plainGroup(row.groups[0]),
    sites: (row) => row.crystals[0].numbers.length,
    rms: (row) => row.rms,
    confidence: (row) => row.confidence,
  };
  const collator = new Intl.Collator("en", { numeric: true });
  const sorting = { key: null, sign: 1 };
  let shown = [];
  let chosen = -1;

  const groupCell = (row) => {
    const [before, after] = row.groups;
    const cell = make("td");
    cell.append(group(before || "—"));
    if (row.crystals[1] && plainGroup(after) !== plainGroup(before)) cell.append(make("span", " → ", "soft"), group(after || "—", "bad"));
    cell.title = row.crystals[1] ? `${before} → ${after}` : before;
    return cell;
  };
  const numberCell = (text, kind) => make("td", text, `number ${kind || ""}`);
  const lines = rows.map((row, index) => {
    const line = document.createElement("tr");
    line.dataset.index = index;
    const [before, after] = counts(row);
    const mark = make("td", { matched: "✓", missed: "✗", "not decoded": "∅" }[state(row)], `state ${row.matched ? "good" : "bad"}`);
    mark.title = state(row);
    const kind = make("td", undefined, "formula");
    kind.append(formula(row.crystals[0].formula));
    const name = make("td", row.name, "name");
    name.title = row.name;
    const sites = numberCell(before === after ? `${before}` : `${before} → ${after || "—"}`, before === after ? "" : "bad");
    const confidence = numberCell("");
    const meter = make("span", fixed(row.confidence, 2), "meter");
    meter.style.setProperty("--share", row.confidence === null ? 0 : Math.max(0, Math.min(1, row.confidence)));
    confidence.append(meter);
    line.append(mark, kind, name, groupCell(row), sites, numberCell(fixed(row.rms, 4)), confidence);
    return line;
  });
  const haystacks = rows.map((row) =>
    [row.name, ...row.crystals.map((c) => (c ? c.formula : "")), ...row.groups, ...row.groups.map(plainGroup), state(row)]
      .join("\n").toLowerCase());

  const list = () => {
    const words = at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const misses = at("misses").checked;
    shown = rows.map((_, k) => k).filter((k) => !(misses && rows[k].matched) && words.every((w) => haystacks[k].includes(w)));
    if (sorting.key) {
      const value = KEYS[sorting.key];
      shown.sort((i, j) => {
        const [a, b] = [value(rows[i]), value(rows[j])];
        if (a === null || b === null) return (a === null) - (b === null) || i - j; // unknown is last either way
        return sorting.sign * (typeof a === "string" ? collator.compare(a, b) : a - b) || i - j;
      });
    }
    at("rows").replaceChildren(...shown.map((k) => lines[k]));
    at("empty").hidden = shown.length > 0;
    at("count").textContent = `${shown.length} of ${rows.length} crystals`;
    if (shown.length && !shown.includes(chosen)) choose(shown[0]);
    else if (chosen >= 0 && lines[chosen].isConnected) lines[chosen].scrollIntoView({ block: "nearest" });
  };

  // ---- atoms as spheres: an icosahedron whose triangles are halved and pushed out to the sphere
  const sphere = (() => {
    const made = [];
    return (level) => {
      if (made[level]) return made[level];
      if (level > 0) {
        const { points, faces } = sphere(level - 1);
        const [more, finer, middles] = [points.slice(), [], new Map()];
        const middle = (i, j) => {
          const key = i < j ? `${i} ${j}` : `${j} ${i}`;
          if (!middles.has(key)) {
            const sum = points[i].map((x, k) => x + points[j][k]);
            middles.set(key, more.push(sum.map((x) => x / norm(sum))) - 1);
          }
          return middles.get(key);
        };
        for (const [i, j, k] of faces) {
          const [ij, jk, ki] = [middle(i, j), middle(j, k), middle(k, i)];
          finer.push([i, ij, ki], [j, jk, ij], [k, ki, jk], [ij, jk, ki]);
        }
        return (made[level] = { points: more, faces: finer });
      }
      const golden = (1 + Math.sqrt(5)) / 2;
      const points = [];
      for (const s of [1, -1]) for (const t of [golden, -golden]) points.push([0, s, t], [s, t, 0], [t, 0, s]);
      const faces = [];
      const near = (i, j) => Math.abs(norm(points[i].map((x, k) => x - points[j][k])) - 2) < 1e-9;
      for (let i = 0; i < 12; i++) for (let j = i + 1; j < 12; j++) for (let k = j + 1; k < 12; k++) {
        if (!near(i, j) || !near(j, k) || !near(k, i)) continue;
        faces.push(dot(points[i], cross(points[j], points[k])) > 0 ? [i, j, k] : [i, k, j]);
      }
      return (made[0] = { points: points.map((p) => p.map((x) => x / norm(p))), faces });
    };
  })();

  /** Sites of the cell and their images on its faces, edges and corners. */
  const atoms = ({ lattice, sites, numbers }) => {
    const volume = Math.abs(dot(lattice[0], cross(lattice[1], lattice[2])));
    const near = [0, 1, 2].map((k) => Math.min(0.1, (FACE * norm(cross(lattice[(k + 1) % 3], lattice[(k + 2) % 3]))) / volume));
    const all = [];
    sites.forEach((site, index) => {
      const along = site.map((x, k) => (x < near[k] ? [x, x + 1] : x > 1 - near[k] ? [x, x - 1] : [x]));
      for (const a of along[0]) for (const b of along[1]) for (const c of along[2]) all.push({ z: numbers[index], x: [a, b, c] });
    });
    return all;
  };

  const traces = (crystal, colors) => {
    const lattice = upright(crystal.lattice);
    const all = atoms(crystal);
    const { points, faces } = sphere(all.length <= 40 ? 3 : all.length <= 220 ? 2 : 1);
    const middle = cartesian([0.5, 0.5, 0.5], lattice);
    const place = (x) => cartesian(x, lattice).map((r, k) => r - middle[k]);
    const byElement = new Map();
    for (const { z, x } of all) {
      if (!byElement.has(z)) byElement.set(z, { x: [], y: [], z: [], i: [], j: [], k: [], text: [] });
      const mesh = byElement.get(z);
      const [symbol, , radius] = elements[z];
      const [centre, first] = [place(x), mesh.x.length];
      const text = `<b>${symbol}</b>  ${x.map((value) => value.toFixed(4)).join("  ")}`;
      for (const p of points) {
        mesh.x.push(centre[0] + SPHERE * radius * p[0]);
        mesh.y.push(centre[1] + SPHERE * radius * p[1]);
        mesh.z.push(centre[2] + SPHERE * radius * p[2]);
        mesh.text.push(text);
      }
      for (const [i, j, k] of faces) { mesh.i.push(first + i); mesh.j.push(first + j); mesh.k.push(first + k); }
    }
    const edges = { x: [], y: [], z: [] };
    for (const p of CORNERS) for (let k = 0; k < 3; k++) {
      if (p[k]) continue;
      const q = p.map((value, l) => (l === k ? 1 : value));
      const ends = [place(p), place(q)];
      ["x", "y", "z"].forEach((axis, l) => edges[axis].push(ends[0][l], ends[1][l], null));
    }
    const tips = [0, 1, 2].map((k) => {
      const out = 1.2 / norm(lattice[k]); // Å beyond the end of the vector
      return place([0, 1, 2].map((l) => (l === k ? 1 + out : 0)));
    });
    return [
      { type: "scatter3d", mode: "lines", ...edges, line: { color: colors.edge, width: 2.5 }, hoverinfo: "skip" },
      {
        type: "scatter3d", mode: "text", text: ["<i>a</i>", "<i>b</i>", "<i>c</i>"], hoverinfo: "skip",
        x: tips.map((t) => t[0]), y: tips.map((t) => t[1]), z: tips.map((t) => t[2]),
        textfont: { size: 14, color: colors.label },
      },
      ...[...byElement].map(([z, mesh]) => ({
        type: "mesh3d", ...mesh, color: elements[z][1], hovertemplate: "%{text}<extra></extra>", flatshading: false,
        lighting: { ambient: 0.34, diffuse: 0.68, specular: 0.1, roughness: 0.5, fresnel: 0.1, facenormalsepsilon: 0 },
        lightposition: { x: -2e4, y: 3e4, z: -2e4 }, // an orthographic scene takes it relative to the viewer
      })),
    ];
  };
  /** Å from the cell's centre to what is farthest: the same for both views, so that they share a scale. */
  const reach = (crystals) => Math.max(...crystals.map((crystal) => {
    const half = CORNERS.map((p) => norm(cartesian(p.map((value) => value - 0.5), crystal.lattice)));
    return Math.max(...half) + 0.9;
  }));

  // ---- the two views and their common camera
  const views = [at("view0"), at("view1")];
  const listening = new Set();
  let pose = structuredClone(START);
  let following = false;
  const follow = (from) => (event) => {
    const changes = Object.keys(START).filter((key) => event[`scene.${key}`]);
    if (!changes.length || following) return;
    for (const key of changes) pose[key] = structuredClone(event[`scene.${key}`]);
    const other = views[1 - from];
    if (!listening.has(other) || other.hidden) return;
    following = true;
    const update = Object.fromEntries(changes.map((key) => [`scene.${key}`, structuredClone(pose[key])]));
    Plotly.relayout(other, update).finally(() => { following = false; });
  };
  const draw = (side, crystal, radius) => {
    const view = views[side];
    view.hidden = !crystal;
    if (!crystal) return;
    const css = getComputedStyle(document.documentElement);
    const colors = Object.fromEntries(["edge", "label", "card", "line"].map((name) => [name, css.getPropertyValue(`--${name}`).trim()]));
    const axis = { visible: false, showspikes: false, range: [-radius, radius], autorange: false };
    const layout = {
      scene: {
        xaxis: axis, yaxis: axis, zaxis: axis, aspectmode: "manual", dragmode: "orbit", bgcolor: "rgba(0,0,0,0)",
        ...structuredClone(pose),
      },
      margin: { l: 0, r: 0, t: 0, b: 0 }, paper_bgcolor: "rgba(0,0,0,0)", showlegend: false,
      hoverlabel: { bgcolor: colors.card, bordercolor: colors.line, font: { color: colors.label, size: 13 } },
    };
    Plotly.react(view, traces(crystal, colors), layout, { displayModeBar: false, displaylogo: false, responsive: true, scrollZoom: true });
    if (listening.has(view)) return;
    listening.add(view);
    view.on("plotly_relayouting", follow(side));
    view.on("plotly_relayout", follow(side));
  };

  // ---- the selected crystal
  const fact = (term, value) => {
    const pair = make("div");
    pair.append(make("dt", term), make("dd", value));
    return pair;
  };
  const cellText = (crystal) => {
    const [a, b, c] = crystal.lattice;
    const lengths = [a, b, c].map((v) => norm(v).toFixed(3)).join(", ");
    const angles = [[b, c], [a, c], [a, b]].map(([u, v]) => degrees(u, v).toFixed(2)).join(", ");
    const content = new Map();
    for (const z of crystal.numbers) content.set(z, (content.get(z) || 0) + 1);
    const species = [...content].map(([z, n]) => `${n} ${elements[z][0]}`).join(", ");
    return [`a, b, c = ${lengths} Å`, `α, β, γ = ${angles}°`, `${crystal.numbers.length} sites: ${species}`];
  };
  const describe = (side, crystal, symbol) => {
    at(`caption${side}`).replaceChildren();
    at(`cell${side}`).replaceChildren();
    if (!crystal) return;
    at(`caption${side}`).append(formula(crystal.formula), " · ", group(symbol || "—"));
    for (const text of cellText(crystal)) at(`cell${side}`).append(text, document.createElement("br"));
  };
  const paint = () => {
    if (chosen < 0) return;
    const { crystals } = rows[chosen];
    const radius = reach(crystals.filter(Boolean));
    crystals.forEach((crystal, side) => draw(side, crystal, radius));
  };
  const choose = (index) => {
    if (chosen >= 0) lines[chosen].removeAttribute("aria-selected");
    chosen = index;
    const row = rows[index];
    lines[index].setAttribute("aria-selected", "true");
    if (lines[index].isConnected) lines[index].scrollIntoView({ block: "nearest" });
    at("name").textContent = row.name || row.crystals[0].formula;
    at("badge").textContent = state(row);
    at("badge").className = `badge ${row.matched ? "good" : "bad"}`;
    const facts = [];
    if (row.rms !== null) facts.push(fact("RMS", `${row.rms.toFixed(4)} Å`));
    if (row.lattice !== null) facts.push(fact("lattice", `± ${row.lattice.toFixed(4)} Å`));
    if (row.crystals[1] && !row.composition) facts.push(fact("composition", "differs"));
    facts.push(fact("confidence", fixed(row.confidence, 2)));
    at("facts").replaceChildren(...facts);
    const species = new Set(row.crystals.flatMap((crystal) => (crystal ? crystal.numbers : [])));
    at("legend").replaceChildren(...[...species].sort((i, j) => i - j).map((z) => {
      const [item, ball] = [make("span"), make("i")];
      ball.style.background = elements[z][1];
      item.append(ball, elements[z][0]);
      return item;
    }));
    row.crystals.forEach((crystal, side) => describe(side, crystal, row.groups[side]));
    at("reason").hidden = Boolean(row.crystals[1]);
    at("reason").replaceChildren(make("b", "Nothing was decoded"), row.reason || "No reason was given.");
    paint();
    try { history.replaceState(null, "", `#${index + 1}`); } catch { /* a page inside another has no address of its own */ }
  };

  // ---- what the reader does
  at("rows").addEventListener("click", (event) => {
    const line = event.target.closest("tr");
    if (line) choose(Number(line.dataset.index));
  });
  for (const head of document.querySelectorAll("th")) head.addEventListener("click", () => {
    const { key } = head.dataset;
    if (sorting.key === key && sorting.sign < 0) sorting.key = null; // a third click: the order of the file
    else Object.assign(sorting, { sign: sorting.key === key ? -1 : 1, key });
    for (const other of document.querySelectorAll("th")) other.removeAttribute("aria-sort");
    if (sorting.key) head.setAttribute("aria-sort", sorting.sign > 0 ? "ascending" : "descending");
    list();
  });
  at("search").addEventListener("input", list);
  at("misses").addEventListener("change", list);
  const STEPS = { ArrowDown: 1, ArrowUp: -1, ArrowRight: 1, ArrowLeft: -1, PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity };
  document.addEventListener("keydown", (event) => {
    const typing = event.target === at("search") && !["ArrowDown", "ArrowUp"].includes(event.key);
    if (!(event.key in STEPS) || typing || !shown.length || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const next = shown.indexOf(chosen) + STEPS[event.key];
    choose(shown[Math.max(0, Math.min(shown.length - 1, next))]);
  });
  for (const view of views) view.addEventListener("dblclick", () => { pose = structuredClone(START); paint(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);

  const asked = Number(location.hash.slice(1)) - 1;
  if (rows[asked]) choose(asked);
  list();
})();
