"use strict";
/* Surfaces of equal density: a grid of points cut into tetrahedra, each cut at the level, so that the surface is exact. */
const Surface = (() => {
  const CORNERS = [0, 1, 2, 3, 4, 5, 6, 7].map((k) => [k & 1, (k >> 1) & 1, (k >> 2) & 1]);
  /** Six tetrahedra around a cube's diagonal; neighbouring cubes share their faces' triangles (Kuhn 1960). */
  const TETRAHEDRA = [[0, 1, 3, 7], [0, 2, 3, 7], [0, 1, 5, 7], [0, 4, 5, 7], [0, 2, 6, 7], [0, 4, 6, 7]];
  const OUTSIDE = -1e9; // beyond the faces, so that the surface is closed there

  const ORANGES = ["#fbe3d3", "#e8834f", "#8f2d12"];
  const VIRIDIS = ["#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39", "#fde725"];

  // ---- densities as they are sent: 16 bits a point
  const kept = new WeakMap();
  /** A packed density {size, low, step, values} as a field {size, values}. */
  const unpacked = (density) => {
    if (!kept.has(density)) {
      const { size, low, step } = density;
      const bytes = Uint8Array.from(atob(density.values), (c) => c.charCodeAt(0));
      const numbers = new DataView(bytes.buffer);
      const values = Float32Array.from({ length: size[0] * size[1] * size[2] }, (_, k) => low + step * numbers.getUint16(2 * k, true));
      kept.set(density, { size, values });
    }
    return kept.get(density);
  };

  /** Colour of a value from `low` to `high`: "#rrggbb". */
  const shade = (value, [low, high], scale = ORANGES) => {
    const place = Math.max(0, Math.min(1, (value - low) / (high - low || 1))) * (scale.length - 1);
    const k = Math.min(scale.length - 2, Math.floor(place));
    const channel = (color, at) => parseInt(color.slice(1 + 2 * at, 3 + 2 * at), 16);
    const mixed = [0, 1, 2].map((at) => Math.round(channel(scale[k], at) + (place - k) * (channel(scale[k + 1], at) - channel(scale[k], at))));
    return `#${mixed.map((x) => x.toString(16).padStart(2, "0")).join("")}`;
  };

  const cross = (u, v) => [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
  const minus = (u, v) => [u[0] - v[0], u[1] - v[1], u[2] - v[2]];
  const dot = (u, v) => u[0] * v[0] + u[1] * v[1] + u[2] * v[2];

  /** A field {size, values} on a torus, with the points of its far faces too; the last axis is the fastest. */
  const closed = ({ size: [nx, ny, nz], values }) => {
    const size = [nx + 1, ny + 1, nz + 1];
    const all = new Float32Array(size[0] * size[1] * size[2]);
    let k = 0;
    for (let i = 0; i <= nx; i++) for (let j = 0; j <= ny; j++) for (let l = 0; l <= nz; l++) {
      all[k++] = values[((i % nx) * ny + (j % ny)) * nz + (l % nz)];
    }
    return { size, values: all };
  };

  /**
   * Triangles where a field {size, values} with both of its faces is `level`: {points, faces, values}.
   * `place` puts fractions of the axes, from 0 to 1, into space.
   */
  const mesh = ({ size, values }, level, place) => {
    const [nx, ny, nz] = size;
    const at = (i, j, k) =>
      i < 0 || j < 0 || k < 0 || i >= nx || j >= ny || k >= nz ? OUTSIDE : values[(i * ny + j) * nz + k];
    const inside = (p) => p.map((x, axis) => Math.min(size[axis] - 1, Math.max(0, x)) / (size[axis] - 1));
    const [points, held, faces, known] = [[], [], [], new Map()];
    const key = ([i, j, k]) => ((i + 1) * (ny + 2) + j + 1) * (nz + 2) + k + 1;
    const total = (nx + 2) * (ny + 2) * (nz + 2);
    /** The point between a corner above the level and one below it. */
    const between = (high, low) => {
      const name = key(high.p) * total + key(low.p);
      if (!known.has(name)) {
        const share = (high.value - level) / (high.value - low.value);
        const p = high.p.map((x, axis) => x + share * (low.p[axis] - x));
        known.set(name, points.push(place(inside(p))) - 1);
        held.push(low.value === OUTSIDE ? high.value : level);
      }
      return known.get(name);
    };
    /** A triangle that looks from high to low; `along` is that direction. */
    const triangle = (a, b, c, along) => {
      const normal = cross(minus(points[b], points[a]), minus(points[c], points[a]));
      if (dot(normal, normal) < 1e-16) return;
      if (dot(normal, along) >= 0) faces.push(a, b, c);
      else faces.push(a, c, b);
    };
    const middle = (corners) => [0, 1, 2].map((axis) => corners.reduce((sum, { p }) => sum + p[axis], 0) / corners.length);
    const origin = place([0, 0, 0]);
    const axes = [[1, 0, 0], [0, 1, 0], [0, 0, 1]].map((p, axis) => minus(place(p), origin).map((x) => x / (size[axis] - 1)));
    const direction = (p) => [0, 1, 2].map((x) => p[0] * axes[0][x] + p[1] * axes[1][x] + p[2] * axes[2][x]);
    for (let i = -1; i < nx; i++) for (let j = -1; j < ny; j++) for (let k = -1; k < nz; k++) {
      let count = 0;
      for (let c = 0; c < 8; c++) count += at(i + (c & 1), j + ((c >> 1) & 1), k + ((c >> 2) & 1)) > level;
      if (count === 0 || count === 8) continue;
      const corners = CORNERS.map(([x, y, z]) => ({ p: [i + x, j + y, k + z], value: at(i + x, j + y, k + z) }));
      for (const four of TETRAHEDRA) {
        const high = four.map((c) => corners[c]).filter(({ value }) => value > level);
        const low = four.map((c) => corners[c]).filter(({ value }) => value <= level);
        if (!high.length || !low.length) continue;
        const along = direction(minus(middle(low), middle(high)));
        if (high.length === 2) {
          const [a, b, c, d] = [between(high[0], low[0]), between(high[0], low[1]), between(high[1], low[1]), between(high[1], low[0])];
          triangle(a, b, c, along);
          triangle(a, c, d, along);
        } else {
          const one = high.length === 1;
          const [a, b, c] = (one ? low : high).map((other) => (one ? between(high[0], other) : between(other, low[0])));
          triangle(a, b, c, along);
        }
      }
    }
    return { points, faces, values: held };
  };

  /** Triangles and values of a plane across an axis of a field with both of its faces, at a share of that axis. */
  const plane = ({ size, values }, axis, share, place) => {
    const [u, v] = [0, 1, 2].filter((k) => k !== axis);
    const strides = [size[1] * size[2], size[2], 1];
    const layer = share * (size[axis] - 1);
    const below = Math.min(size[axis] - 2, Math.floor(layer));
    const [points, held, faces] = [[], [], []];
    for (let i = 0; i < size[u]; i++) for (let j = 0; j < size[v]; j++) {
      const p = [0, 0, 0];
      p[axis] = share; p[u] = i / (size[u] - 1); p[v] = j / (size[v] - 1);
      points.push(place(p));
      const first = i * strides[u] + j * strides[v] + below * strides[axis];
      held.push(values[first] + (layer - below) * (values[first + strides[axis]] - values[first]));
      const here = i * size[v] + j;
      if (i + 1 < size[u] && j + 1 < size[v]) faces.push(here, here + 1, here + size[v], here + 1, here + size[v] + 1, here + size[v]);
    }
    return { points, faces, values: held };
  };

  return { VIRIDIS, ORANGES, unpacked, shade, closed, mesh, plane };
})();
