"use strict";
/* What the pages share: atoms as spheres, bonds, edges of a cell, surfaces, and views that turn together; by 3Dmol.js. */
const Scene = (() => {
  const SPHERE = 0.5; // of the covalent radius
  const BOND = { longest: 1.15, shell: 1.15, radius: 0.1 }; // of the covalent radii's sum; of the nearest neighbour; Å
  const EDGE = 0.03; // Å
  const FIELD = 20; // degrees; half of the view's width over the distance of an orthographic camera is its tangent
  const STILL = 150; // 3Dmol's camera stands here on the z axis
  const CORNERS = [0, 1, 2, 3, 4, 5, 6, 7].map((k) => [k & 1, (k >> 1) & 1, (k >> 2) & 1]);
  const TURN = 10; // degrees, of an arrow key

  // ---- vectors: arrays of three
  const dot = (u, v) => u[0] * v[0] + u[1] * v[1] + u[2] * v[2];
  const cross = (u, v) => [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
  const norm = (u) => Math.sqrt(dot(u, u));
  const unit = (u) => u.map((x) => x / norm(u));
  const vector = ([x, y, z]) => ({ x, y, z });

  // ---- poses: a quaternion that turns space into the reader's axes: to the right, up, towards the reader
  /** The quaternion whose rotation has these rows. */
  const quaternion = ([right, up, pole]) => {
    const w = Math.sqrt(Math.max(0, 1 + right[0] + up[1] + pole[2])) / 2;
    return { x: (pole[1] - up[2]) / (4 * w), y: (right[2] - pole[0]) / (4 * w), z: (up[0] - right[1]) / (4 * w), w };
  };
  /** The rows of a quaternion's rotation. */
  const axesOf = ({ x, y, z, w }) => [
    [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
    [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
    [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
  ];
  /** Seen a little from above and from the side, c upwards. */
  const START = (() => {
    const pole = unit([1.55, 0.62, 0.42]);
    const right = unit(cross([0, 0, 1], pole));
    return { turn: quaternion([right, cross(pole, right), pole]), zoom: 1, shift: [0, 0, 0] };
  })();

  // ---- parts of a scene: {add(viewer), spots} puts something into a viewer; spots are what the pointer finds
  /** A mesh; `colors` is one colour, or one for each point. */
  const mesh = ({ points, faces, colors, opacity = 1 }) => ({
    add: (viewer) => {
      const flat = Array.isArray(faces[0]) ? faces.flat() : faces;
      if (flat.length) viewer.addCustom({ vertexArr: points.map(vector), normalArr: [], faceArr: flat, color: colors, opacity });
    },
  });
  const stick = (viewer, from, to, radius, color) => viewer.addCylinder({
    start: vector(from), end: vector(to), radius, color, fromCap: 2, toCap: 2,
  });

  /**
   * Atoms {z, at, text, shares} and, with `bonds`, sticks between those near enough to be bound. Sites that elements
   * share are pies that face the reader. `shares` is [[z, share], …]; `elements` has symbol, colour, radius in Å of each Z.
   */
  const spheres = (all, elements, axes, colors, bonds = true) => {
    const shared = ({ shares }) => Boolean(shares && shares.length > 1);
    const radius = (atom) => (shared(atom) ? Sectors.radius(atom.shares, elements) : elements[atom.z][2]);
    const label = (atom) => (shared(atom) ? Sectors.label(atom.shares, elements) : elements[atom.z][0]);
    const spots = all.map((atom) => ({
      at: atom.at, radius: (atom.size || 1) * SPHERE * radius(atom), text: `${label(atom)}  ${atom.text || ""}`.trim(), site: atom.site,
    }));
    const add = (viewer) => {
      const whole = all.map((atom, k) => ({ atom, spot: spots[k], k })).filter(({ atom }) => !shared(atom));
      const model = viewer.addModel();
      model.addAtoms(whole.map(({ atom, spot, k }) => ({
        elem: elements[atom.z][0], ...vector(atom.at), index: k, bonds: [], bondOrder: [], serial: k,
        style: { sphere: { radius: spot.radius, color: atom.color || elements[atom.z][1], opacity: 1 } },
      })));
      model.setStyle({}, {}, true);
      const step = Math.PI / (all.length <= 60 ? 24 : 12);
      for (const [k, atom] of all.entries()) if (shared(atom)) {
        const place = (p) => p.map((x, axis) => atom.at[axis] + spots[k].radius * x);
        for (const { z, points, faces } of Sectors.surfaces(atom.shares, axes, step)) {
          mesh({ points: points.map(place), faces, colors: elements[z][1] }).add(viewer);
        }
        for (const line of Sectors.lines(atom.shares, axes, step)) {
          viewer.addCurve({ points: line.map(place).map(vector), radius: 0.015, smooth: 1, color: colors.edge });
        }
      }
      if (bonds) for (const [i, j] of bound(all, all.map(radius))) {
        const [from, to] = [all[i].at, all[j].at];
        const half = from.map((x, axis) => (x + to[axis]) / 2);
        stick(viewer, from, half, BOND.radius, elements[all[i].z][1]);
        stick(viewer, half, to, BOND.radius, elements[all[j].z][1]);
      }
    };
    return { add, spots };
  };
  /** Pairs of atoms that touch, about as near as one's nearest neighbour; none where there are too many to draw. */
  const bound = (all, radii) => {
    const pairs = [];
    if (all.length > 400) return pairs;
    const near = all.map(() => Infinity);
    for (let i = 0; i < all.length; i++) for (let j = 0; j < i; j++) {
      const apart = norm(all[i].at.map((x, axis) => x - all[j].at[axis]));
      if (apart < 0.4 || apart > BOND.longest * (radii[i] + radii[j])) continue;
      pairs.push([i, j, apart]);
      near[i] = Math.min(near[i], apart);
      near[j] = Math.min(near[j], apart);
    }
    return pairs.filter(([i, j, apart]) => apart < BOND.shell * Math.max(near[i], near[j]));
  };

  /** Glass around the atoms of some sites: `spots` as `spheres` returns them. */
  const rings = (spots, sites, colors) => ({
    add: (viewer) => {
      for (const { at, radius, site } of spots) if (sites.includes(site)) {
        viewer.addSphere({ center: vector(at), radius: 1.25 * radius + 0.15, color: colors.accent, opacity: 0.6 });
      }
    },
  });

  /** The edges of a cell whose corners `place` puts into space. */
  const edges = (place, colors) => ({
    add: (viewer) => {
      for (const p of CORNERS) for (let k = 0; k < 3; k++) {
        if (!p[k]) stick(viewer, place(p), place(p.map((value, l) => (l === k ? 1 : value))), EDGE, colors.edge);
      }
    },
  });

  /** Words at places: [[text, at], …]. */
  const words = (all) => ({ add: () => {}, words: all });

  // ---- views
  const WITHOUT = "This browser draws nothing in three dimensions: WebGL is switched off. Numbers and files are complete.";
  const open = (view) => {
    try {
      const viewer = $3Dmol.createViewer(view, { orthographic: true, disableFog: true, antialias: true });
      return viewer;
    } catch {
      view.textContent = WITHOUT;
      return null;
    }
  };

  /**
   * Views with one camera: `draw(side, parts, radius, facing)` fills one with `parts(colors, axes)`, null empties it;
   * `reset()` turns all back. What is `facing` the reader is made again when a view was turned. `picked(spot)` tells
   * which atom was clicked. The sphere that holds what is drawn fills `fill` of a view: its rim is never all in use.
   */
  const linked = (views, fill, picked = () => {}) => {
    let pose = structuredClone(START);
    let following = false;
    const states = views.map((view) => ({ view, viewer: null, radius: 1, spots: [], words: [] }));

    /** Distance of the camera at which the view holds the radius. */
    const distance = ({ view, radius }) => {
      const aspect = Math.max(1, view.clientWidth / Math.max(1, view.clientHeight));
      return (1.5 * radius * aspect) / fill / Math.tan((FIELD * Math.PI) / 180);
    };
    const turn = (state) => {
      if (!state.viewer) return;
      const { x, y, z, w } = pose.turn;
      state.set = [...pose.shift, STILL - distance(state) * pose.zoom, x, y, z, w];
      following = true;
      state.viewer.setView([...state.set, 0, 0], true);
      following = false;
      putWords(state);
    };
    /** Points of the screen per Å. */
    const scaleOf = (state) => state.view.clientWidth / 2 / (distance(state) * pose.zoom * Math.tan((FIELD * Math.PI) / 180));
    const putWords = (state) => {
      const perAngstrom = scaleOf(state);
      const [right, up] = axesOf(pose.turn);
      for (const { word, at } of state.words) {
        const moved = at.map((x, k) => x + pose.shift[k]);
        word.style.left = `${state.view.clientWidth / 2 + perAngstrom * dot(right, moved)}px`;
        word.style.top = `${state.view.clientHeight / 2 - perAngstrom * dot(up, moved)}px`;
      }
    };
    let settling = null;
    const follow = (state) => (now) => {
      // 3Dmol also tells when it draws anew what nobody has turned
      if (following || !state.parts || !state.set || state.set.every((value, k) => Math.abs(value - now[k]) < 1e-9)) return;
      const [sx, sy, sz, z, qx, qy, qz, qw] = now;
      state.set = now.slice(0, 8);
      pose = { turn: { x: qx, y: qy, z: qz, w: qw }, zoom: (STILL - z) / distance(state), shift: [sx, sy, sz] };
      putWords(state);
      for (const other of states) if (other !== state && other.parts) turn(other);
      if (!states.some(({ facing }) => facing)) return;
      clearTimeout(settling);
      settling = setTimeout(() => states.filter(({ facing, parts }) => facing && parts).forEach(fillIn), 80);
    };
    const colorsNow = (view) => {
      const css = getComputedStyle(view);
      return Object.fromEntries(["edge", "label", "card", "line", "accent"].map((name) => [name, css.getPropertyValue(`--${name}`).trim()]));
    };
    const fillIn = (state) => {
      const { viewer, view } = state;
      viewer.removeAllModels();
      viewer.removeAllShapes();
      const colors = colorsNow(view);
      viewer.setBackgroundColor(colors.card || "white");
      const parts = state.parts(colors, axesOf(pose.turn));
      for (const part of parts) part.add(viewer);
      state.spots = parts.flatMap(({ spots }) => spots || []);
      for (const { word } of state.words) word.remove();
      state.words = parts.flatMap((part) => part.words || []).map(([text, at]) => {
        const word = document.createElement("span");
        word.className = "word";
        word.textContent = text;
        view.append(word);
        return { word, at };
      });
      following = true;
      viewer.render();
      following = false;
      turn(state);
    };

    // ---- what is under the pointer
    const spotAt = (state, event) => {
      const box = state.view.getBoundingClientRect();
      const perAngstrom = scaleOf(state);
      const [right, up, pole] = axesOf(pose.turn);
      const x = (event.clientX - box.left - box.width / 2) / perAngstrom - dot(right, pose.shift);
      const y = (box.height / 2 - (event.clientY - box.top)) / perAngstrom - dot(up, pose.shift);
      const under = state.spots.filter(({ at, radius }) => Math.hypot(dot(right, at) - x, dot(up, at) - y) <= radius);
      return under.sort((a, b) => dot(pole, b.at) - dot(pole, a.at))[0];
    };
    const listen = (state) => {
      const { view } = state;
      const tip = document.createElement("span");
      tip.className = "tip";
      tip.hidden = true;
      view.append(tip);
      let pressed = null;
      view.addEventListener("pointermove", (event) => {
        const spot = event.buttons ? null : spotAt(state, event);
        tip.hidden = !spot;
        if (!spot) return;
        tip.textContent = spot.text;
        const box = view.getBoundingClientRect();
        tip.style.left = `${Math.min(event.clientX - box.left + 12, box.width - tip.offsetWidth - 4)}px`;
        tip.style.top = `${Math.max(4, event.clientY - box.top - 30)}px`;
      });
      view.addEventListener("pointerleave", () => { tip.hidden = true; });
      view.addEventListener("pointerdown", (event) => { pressed = [event.clientX, event.clientY]; }, true);
      view.addEventListener("pointerup", (event) => {
        const still = pressed && Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) < 4;
        const spot = still && spotAt(state, event);
        if (spot) picked(spot);
      }, true);
      view.addEventListener("keydown", (event) => {
        const turns = { ArrowLeft: [-TURN, "y"], ArrowRight: [TURN, "y"], ArrowUp: [-TURN, "x"], ArrowDown: [TURN, "x"] };
        const zooms = { "+": 1.15, "-": 1 / 1.15 };
        if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in turns || event.key in zooms)) return;
        event.preventDefault();
        event.stopPropagation();
        if (event.key in turns) state.viewer.rotate(...turns[event.key]);
        else state.viewer.zoom(zooms[event.key]);
      });
      new ResizeObserver(() => {
        if (!state.viewer || !view.clientWidth) return;
        following = true;
        state.viewer.resize();
        following = false;
        turn(state);
      }).observe(view);
    };

    const draw = (side, parts, radius, facing = false) => {
      const state = states[side];
      state.view.hidden = !parts;
      Object.assign(state, { parts, radius, facing });
      if (!parts || state.broken) return;
      if (!state.viewer) {
        state.viewer = open(state.view);
        state.broken = !state.viewer;
        if (state.broken) return;
        state.viewer.setViewChangeCallback(follow(state));
        listen(state);
      }
      fillIn(state);
    };
    const reset = () => {
      pose = structuredClone(START);
      states.filter(({ parts }) => parts).forEach(turn);
    };
    return { draw, reset, picture: (side) => states[side].viewer && states[side].viewer.pngURI() };
  };

  return { CORNERS, dot, cross, norm, mesh, edges, spheres, rings, words, linked };
})();
