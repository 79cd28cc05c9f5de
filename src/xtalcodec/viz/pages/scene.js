"use strict";
/* What the pages share: vectors, atoms as spheres, edges of a cell, and views that turn together. */
const Scene = (() => {
  const SPHERE = 0.5; // of the covalent radius
  const CORNERS = [0, 1, 2, 3, 4, 5, 6, 7].map((k) => [k & 1, (k >> 1) & 1, (k >> 2) & 1]);
  const start = (fill) => ({
    camera: {
      eye: { x: 1.55, y: 0.62, z: 0.42 }, up: { x: 0, y: 0, z: 1 }, center: { x: 0, y: 0, z: 0 },
      projection: { type: "orthographic" },
    },
    aspectratio: { x: fill, y: fill, z: fill }, // in an orthographic scene this is the zoom
  });

  // ---- vectors: arrays of three
  const dot = (u, v) => u[0] * v[0] + u[1] * v[1] + u[2] * v[2];
  const cross = (u, v) => [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
  const norm = (u) => Math.sqrt(dot(u, u));

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

  /** Unit vectors of a camera: to the reader's right, up, and towards the reader. */
  const facing = ({ eye, up }) => {
    const unit = (u) => u.map((x) => x / norm(u));
    const pole = unit([eye.x, eye.y, eye.z]);
    const right = unit(cross([up.x, up.y, up.z], pole));
    return [right, cross(pole, right), pole];
  };

  /**
   * Traces of atoms {z, at, text, shares}: one mesh for each element, and the lines of sites that elements share, whose
   * pies face the camera. `shares` is [[z, share], …], and `elements` has symbol, colour and radius in Å of each Z.
   */
  const spheres = (all, elements, camera, colors) => {
    const fineness = all.length <= 40 ? 3 : all.length <= 220 ? 2 : 1;
    const [round, step, axes] = [sphere(fineness), Math.PI / (8 * fineness), facing(camera)];
    const meshes = new Map();
    const outline = { x: [], y: [], z: [] };
    for (const { z, at, text, shares } of all) {
      const shared = shares && shares.length > 1;
      const size = SPHERE * (shared ? Sectors.radius(shares, elements) : elements[z][2]);
      const place = (p) => p.map((x, k) => at[k] + size * x);
      const what = `<b>${shared ? Sectors.label(shares, elements) : elements[z][0]}</b>  ${text}`;
      for (const { z: one, points, faces } of shared ? Sectors.surfaces(shares, axes, step) : [{ z, ...round }]) {
        if (!meshes.has(one)) meshes.set(one, { x: [], y: [], z: [], i: [], j: [], k: [], text: [] });
        const mesh = meshes.get(one);
        const first = mesh.x.length;
        for (const p of points) {
          const [x, y, height] = place(p);
          mesh.x.push(x); mesh.y.push(y); mesh.z.push(height); mesh.text.push(what);
        }
        for (const [i, j, k] of faces) { mesh.i.push(first + i); mesh.j.push(first + j); mesh.k.push(first + k); }
      }
      for (const line of shared ? Sectors.lines(shares, axes, step) : []) {
        for (const p of [...line.map(place), [null, null, null]]) ["x", "y", "z"].forEach((axis, k) => outline[axis].push(p[k]));
      }
    }
    const surfaces = [...meshes].map(([z, mesh]) => ({
      type: "mesh3d", ...mesh, color: elements[z][1], hovertemplate: "%{text}<extra></extra>", flatshading: false,
      lighting: { ambient: 0.34, diffuse: 0.68, specular: 0.1, roughness: 0.5, fresnel: 0.1, facenormalsepsilon: 0 },
      lightposition: { x: -2e4, y: 3e4, z: -2e4 }, // an orthographic scene takes it relative to the viewer
    }));
    if (!outline.x.length) return surfaces;
    return [...surfaces, {
      type: "scatter3d", mode: "lines", ...outline, line: { color: colors.edge, width: 2 }, hoverinfo: "skip",
    }];
  };

  /** Trace of the edges of a cell whose corners `place` puts into space. */
  const edges = (place, colors) => {
    const lines = { x: [], y: [], z: [] };
    for (const p of CORNERS) for (let k = 0; k < 3; k++) {
      if (p[k]) continue;
      const q = p.map((value, l) => (l === k ? 1 : value));
      const ends = [place(p), place(q)];
      ["x", "y", "z"].forEach((axis, l) => lines[axis].push(ends[0][l], ends[1][l], null));
    }
    return { type: "scatter3d", mode: "lines", ...lines, line: { color: colors.edge, width: 2.5 }, hoverinfo: "skip" };
  };

  /**
   * Views with one camera: `draw(side, traces, radius)` fills one with `traces(colors, camera)`, null empties it;
   * `reset()` turns all back. What is `facing` the camera is made again when the reader has turned a view.
   * The sphere that holds what is drawn fills `fill` of a view: its rim is never all in use.
   */
  const linked = (views, fill) => {
    const START = start(fill);
    const listening = new Set();
    let pose = structuredClone(START);
    let following = false;
    const turned = new Map(); // side → draws again what faces the camera
    const follow = (from) => (event) => {
      const changes = Object.keys(START).filter((key) => event[`scene.${key}`]);
      if (!changes.length || following) return;
      for (const key of changes) pose[key] = structuredClone(event[`scene.${key}`]);
      const others = views.filter((view, side) => side !== from && listening.has(view) && !view.hidden);
      if (!others.length) return;
      following = true;
      const update = () => Object.fromEntries(changes.map((key) => [`scene.${key}`, structuredClone(pose[key])]));
      Promise.all(others.map((other) => Plotly.relayout(other, update()))).finally(() => { following = false; });
    };
    let settling = null;
    const settle = (event) => {
      if (!event["scene.camera"]) return;
      clearTimeout(settling); // the views that follow tell of it too
      settling = setTimeout(() => [...turned.values()].forEach((again) => again()), 60);
    };
    const draw = (side, traces, radius, facing = false) => {
      const view = views[side];
      view.hidden = !traces;
      turned.delete(side);
      if (!traces) return;
      if (facing) turned.set(side, () => draw(side, traces, radius, facing));
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
      Plotly.react(view, traces(colors, pose.camera), layout, { displayModeBar: false, displaylogo: false, responsive: true, scrollZoom: true });
      if (listening.has(view)) return;
      listening.add(view);
      view.on("plotly_relayouting", follow(side));
      view.on("plotly_relayout", follow(side));
      view.on("plotly_relayout", settle);
    };
    return { draw, reset: () => { pose = structuredClone(START); } };
  };

  return { CORNERS, dot, cross, norm, edges, spheres, linked };
})();
