"use strict";
/* Sites that elements share: a sphere cut like an orange whose pole faces the reader, so that it looks like a pie chart. */
const Sectors = (() => {
  const EMPTY = 0; // in the place of an atomic number: the share of a site that holds no atom
  const TURN = 2 * Math.PI;
  const OVER = 1.01; // lines lie this far out, not within the surface

  /** Point of the unit sphere, by the angle from the pole and the angle clockwise from the top; axes: right, up, pole. */
  const point = ([right, up, pole], polar, azimuth) => [0, 1, 2].map((k) =>
    Math.sin(polar) * (Math.sin(azimuth) * right[k] + Math.cos(azimuth) * up[k]) + Math.cos(polar) * pole[k]);

  /** Sectors {z, from, to} of shares [[z, share], …], clockwise from the top; what is empty comes last. */
  const cut = (shares) => {
    let to = 0;
    return shares.map(([z, share]) => {
      const from = to;
      to += share * TURN;
      return { z, from, to };
    });
  };

  /** Evenly spaced angles with both ends, at most `step` apart. */
  const between = (from, to, step) => {
    const count = Math.max(1, Math.ceil((to - from) / step - 1e-9));
    return Array.from({ length: count + 1 }, (_, k) => from + ((to - from) * k) / count);
  };

  /** Peel of a sector, from pole to pole: points of the unit sphere and triangles that face outwards. */
  const peel = (axes, { from, to }, step) => {
    const [polars, azimuths] = [between(0, Math.PI, step), between(from, to, step)];
    const points = polars.flatMap((polar) => azimuths.map((azimuth) => point(axes, polar, azimuth)));
    const faces = [];
    const wide = azimuths.length;
    for (let i = 0; i + 1 < polars.length; i++) for (let j = 0; j + 1 < wide; j++) {
      const [near, far] = [i * wide + j, (i + 1) * wide + j];
      if (i > 0) faces.push([near, near + 1, far]);
      if (i + 2 < polars.length) faces.push([near + 1, far + 1, far]);
    }
    return { points, faces };
  };

  /** Half a disc, where a sector borders on emptiness: `side` is 1 at its end and −1 at its start. */
  const wall = (axes, azimuth, side, step) => {
    const rim = between(0, Math.PI, step).map((polar) => point(axes, polar, azimuth));
    const faces = rim.slice(1).map((_, k) => (side > 0 ? [0, k + 1, k + 2] : [0, k + 2, k + 1]));
    return { points: [[0, 0, 0], ...rim], faces };
  };

  /** Surfaces {z, points, faces} of a site on the unit sphere. */
  const surfaces = (shares, axes, step) => {
    const sectors = cut(shares);
    const filled = sectors.filter(({ z }) => z !== EMPTY);
    const made = filled.map((sector) => ({ z: sector.z, ...peel(axes, sector, step) }));
    if (filled.length === sectors.length) return made;
    const [first, last] = [filled[0], filled[filled.length - 1]];
    return [...made, { z: first.z, ...wall(axes, first.from, -1, step) }, { z: last.z, ...wall(axes, last.to, 1, step) }];
  };

  /** Lines on the unit sphere that the reader sees: between sectors, and around what is empty. */
  const lines = (shares, axes, step) => cut(shares).map(({ z, from, to }) => {
    const down = between(0, Math.PI / 2, step).map((polar) => point(axes, polar, from));
    const around = z === EMPTY ? between(from, to, step).map((azimuth) => point(axes, Math.PI / 2, azimuth)) : [];
    return [...down, ...around].map((p) => p.map((x) => OVER * x));
  });

  /** What is on a site, as "Cu 0.5, Au 0.4; 0.1 empty"; a full site of one element is its symbol alone. */
  const label = (shares, elements) => {
    if (shares.length === 1) return elements[shares[0][0]][0];
    const number = (share) => `${Number(share.toFixed(3))}`;
    const atoms = shares.filter(([z]) => z !== EMPTY).map(([z, share]) => `${elements[z][0]} ${number(share)}`);
    const empty = shares.filter(([z]) => z === EMPTY).map(([, share]) => `; ${number(share)} empty`);
    return atoms.join(", ") + empty.join("");
  };

  /** The same pie for a legend, as CSS writes it; what is empty stays clear. */
  const css = (shares, elements) => {
    const color = (z) => (z === EMPTY ? "transparent" : elements[z][1]);
    const parts = cut(shares).map(({ z, from, to }) => `${color(z)} ${from}rad ${to}rad`);
    return `conic-gradient(${parts.join(", ")})`;
  };

  /** Radius in Å of a site: the mean over what is on it. */
  const radius = (shares, elements) => {
    const atoms = shares.filter(([z]) => z !== EMPTY);
    const sum = (of) => atoms.reduce((total, pair) => total + of(pair), 0);
    return sum(([z, share]) => share * elements[z][2]) / sum(([, share]) => share);
  };

  return { EMPTY, surfaces, lines, label, css, radius };
})();
