(() => {
  const { map, elements, crystals } = JSON.parse(document.getElementById("data").textContent);
  const { make } = Cell;
  const at = (id) => document.getElementById(id);
  const { draw, reset } = Scene.linked([at("view0")], 1.6);
  let chosen = -1;
  let selected = [];

  // ---- crystals as they are packed
  const [lattices, fractions, numbers] = [
    CrystalMap.unpacked(crystals.lattices, Float32Array), CrystalMap.unpacked(crystals.fractions, Uint16Array), CrystalMap.unpacked(crystals.numbers, Uint8Array),
  ];
  const first = []; // site of each crystal's first, and its place among those that are there
  crystals.counts.reduce(([site, place], count) => {
    first.push([site, place]);
    return [site + count, place + (count > 0)];
  }, [0, 0]);
  const crystalOf = (k) => {
    const [count, [site, place]] = [crystals.counts[k], first[k]];
    if (!count) return null;
    const row = (values, from) => Array.from(values.subarray(from, from + 3));
    return {
      formula: map.formulas[k],
      lattice: [0, 1, 2].map((axis) => row(lattices, 9 * place + 3 * axis)),
      numbers: Array.from(numbers.subarray(site, site + count)),
      sites: Array.from({ length: count }, (_, j) => row(fractions, 3 * (site + j)).map((x) => x / 65536)),
      shares: crystals.shares[k] || null,
    };
  };

  // ---- the chosen crystal
  const paint = () => {
    const crystal = chosen < 0 ? null : crystalOf(chosen);
    draw(0, crystal && ((colors, axes) => Cell.parts(crystal, elements, colors, axes)), crystal ? Cell.reach([crystal]) : 1, Boolean(crystal && crystal.shares));
  };
  const show = (k) => {
    chosen = k;
    const crystal = crystalOf(k);
    at("name").textContent = map.names[k];
    at("caption").replaceChildren(Cell.formula(map.formulas[k]));
    at("facts").replaceChildren(...stage.columns.map((column) => {
      const pair = make("div");
      pair.append(make("dt", column.label), make("dd", CrystalMap.valueOf(column, k) || "not known"));
      return pair;
    }));
    at("legend").replaceChildren(...(crystal ? Cell.legend([crystal], elements) : []));
    at("cell0").replaceChildren();
    if (crystal) for (const text of Cell.lines(crystal, elements)) at("cell0").append(text, document.createElement("br"));
    at("view0").setAttribute("aria-label", `${map.formulas[k]}, ${map.sites[k]} sites`);
    at("reason").hidden = Boolean(crystal);
    at("reason").textContent = "The atoms of this crystal are not in this file.";
    at("alike").replaceChildren(...stage.alike(k).map(({ place, likeness }) => {
      const [item, button] = [make("li"), make("button")];
      button.type = "button";
      button.append(Cell.formula(map.formulas[place], "map-formula"), make("span", map.names[place], "name"), make("span", likeness.toFixed(3)));
      button.title = `likeness ${likeness.toFixed(4)}`;
      button.addEventListener("click", () => stage.choose(place));
      item.append(button);
      return item;
    }));
    paint();
    try { history.replaceState(null, "", `#${k + 1}`); } catch { /* a page inside another has no address of its own */ }
  };

  // ---- what the reader does
  const heard = {
    chosen: show,
    selected: (places) => {
      selected = places;
      at("save").disabled = !places.length;
    },
    coloured: () => {},
  };
  const stage = new CrystalMap(at("map"), (name, value) => heard[name](value));
  stage.show(map);
  at("save").addEventListener("click", () => {
    const link = make("a");
    link.href = URL.createObjectURL(new Blob([selected.map((k) => `${map.names[k]}\n`).join("")], { type: "text/plain" }));
    link.download = "selected.txt";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
  at("view0").addEventListener("dblclick", () => { reset(); paint(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  const asked = Number(location.hash.slice(1)) - 1;
  stage.choose(map.names[asked] === undefined ? 0 : asked);
})();
