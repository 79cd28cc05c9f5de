"use strict";
/* A crystal in its cell: what is drawn of it, and what is said of it; for pages with several crystals side by side. */
const Cell = (() => {
  const { CORNERS, dot, cross, norm } = Scene;
  const FACE = 0.25; // Å: an atom this near to a face of the cell is drawn on the opposite face too

  // ---- geometry; rows of a lattice are its cell vectors
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

  /** What puts fractions of the cell into space, the middle of the cell at the origin. */
  const placing = (crystal) => {
    const lattice = upright(crystal.lattice);
    const middle = cartesian([0.5, 0.5, 0.5], lattice);
    return (x) => cartesian(x, lattice).map((r, k) => r - middle[k]);
  };

  /** Sites of the cell and their images on its faces, edges and corners. */
  const atoms = ({ lattice, sites, numbers, shares }) => {
    const volume = Math.abs(dot(lattice[0], cross(lattice[1], lattice[2])));
    const near = [0, 1, 2].map((k) => Math.min(0.1, (FACE * norm(cross(lattice[(k + 1) % 3], lattice[(k + 2) % 3]))) / volume));
    const all = [];
    sites.forEach((site, index) => {
      const along = site.map((x, k) => (x < near[k] ? [x, x + 1] : x > 1 - near[k] ? [x, x - 1] : [x]));
      const what = { z: numbers[index], shares: shares && shares[index], site: index };
      for (const a of along[0]) for (const b of along[1]) for (const c of along[2]) all.push({ ...what, x: [a, b, c] });
    });
    return all;
  };

  /** Edges and the names of the axes. */
  const frame = (crystal, colors) => {
    const place = placing(crystal);
    const tips = [0, 1, 2].map((k) => {
      const out = 1.2 / norm(crystal.lattice[k]); // Å beyond the end of the vector
      return ["abc"[k], place([0, 1, 2].map((l) => (l === k ? 1 + out : 0)))];
    });
    return [Scene.edges(place, colors), Scene.words(tips, colors)];
  };

  /** Parts of a scene: the cell and its atoms; `look(site)` may give an atom a color and a size, and further text. */
  const parts = (crystal, elements, colors, axes, { bonds = true, look = () => ({}) } = {}) => {
    const place = placing(crystal);
    const all = atoms(crystal).map(({ x, ...what }) => {
      const { text = "", ...own } = look(what.site);
      return { ...what, ...own, at: place(x), text: [x.map((value) => value.toFixed(4)).join("  "), text].filter(Boolean).join("  ") };
    });
    return [...frame(crystal, colors), Scene.spheres(all, elements, axes, colors, bonds)];
  };

  /** Å from the cell's centre to what is farthest: the same for all views, so that they share a scale. */
  const reach = (crystals) => Math.max(...crystals.map((crystal) => {
    const half = CORNERS.map((p) => norm(cartesian(p.map((value) => value - 0.5), crystal.lattice)));
    return Math.max(...half) + 0.9;
  }));

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

  /** What is on each site of a crystal, as [[z, share], …]. */
  const sharesOf = ({ numbers, shares }) => shares || numbers.map((z) => [[z, 1]]);
  /** Sites that hold the same: how many, and what. */
  const sitesText = (crystal, elements) => {
    const kinds = new Map();
    for (const shares of sharesOf(crystal)) {
      const text = Sectors.label(shares, elements);
      const kind = shares.length > 1 ? `(${text})` : text;
      kinds.set(kind, (kinds.get(kind) || 0) + 1);
    }
    return [...kinds].map(([kind, n]) => `${n} ${kind}`).join(", ");
  };
  /** Lengths, angles and sites of a cell, a line each. */
  const lines = (crystal, elements) => {
    const [a, b, c] = crystal.lattice;
    const lengths = [a, b, c].map((v) => norm(v).toFixed(3)).join(", ");
    const angles = [[b, c], [a, c], [a, b]].map(([u, v]) => degrees(u, v).toFixed(2)).join(", ");
    return [`a, b, c = ${lengths} Å`, `α, β, γ = ${angles}°`, `${crystal.numbers.length} sites: ${sitesText(crystal, elements)}`];
  };
  /** A ball of a colour, or a pie, and its name. */
  const named = (background, text) => {
    const [item, ball] = [make("span"), make("i")];
    ball.style.background = background;
    item.append(ball, text);
    return item;
  };
  /** The elements of crystals, lightest first, and the pies of the first one's shared sites. */
  const legend = (crystals, elements) => {
    const present = new Set(crystals.flatMap(sharesOf).flat().map(([z]) => z));
    present.delete(Sectors.EMPTY);
    const shared = new Map(sharesOf(crystals[0]).filter((shares) => shares.length > 1)
      .map((shares) => [Sectors.label(shares, elements), Sectors.css(shares, elements)]));
    return [
      ...[...present].sort((i, j) => i - j).map((z) => named(elements[z][1], elements[z][0])),
      ...[...shared].map(([text, pie]) => named(pie, text)),
    ];
  };

  return { placing, frame, parts, reach, make, formula, plainGroup, group, lines, legend };
})();
