(() => {
  const { rows, elements, edge } = JSON.parse(document.getElementById("data").textContent);
  const { at, make, reach, surface, structure, legend, list } = Cube;
  const views = [0, 1, 2, 3].map((k) => at(`view${k}`));
  const { draw, reset } = Scene.linked(views, 2.5);
  let chosen = -1;

  const scientific = (x) => (x === 0 ? "0" : x.toExponential(1));
  const right = (row) => row.count && row.species === row.atoms[0].numbers.length;

  /** The value that the slider stands at: a share of the true density's range, so that both surfaces mean the same. */
  const level = () => {
    const { low, step } = rows[chosen].densities[0];
    return low + (65535 * step * Number(at("level").value)) / 100;
  };
  /** e/Å³, from the least to the most of both densities. */
  const range = () => {
    const { densities } = rows[chosen];
    return [Math.min(...densities.map(({ low }) => low)), Math.max(...densities.map(({ low, step }) => low + 65535 * step))];
  };
  const paintDensities = () => {
    if (chosen < 0) return;
    at("value").textContent = `${level().toFixed(2)} e/Å³`;
    rows[chosen].densities.forEach((density, side) => {
      draw(side, (colors) => surface(density, edge, level(), range(), colors), reach(edge));
    });
  };
  const paint = () => {
    if (chosen < 0) return;
    paintDensities();
    rows[chosen].atoms.forEach((atoms, side) => {
      draw(2 + side, (colors, axes) => structure(atoms, edge, elements, colors, axes), reach(edge));
    });
  };

  // ---- the list
  const lines = rows.map((row) => {
    const line = document.createElement("tr");
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
  at("count").textContent = `${rows.length} crystals`;
  at("empty").hidden = rows.length > 0;

  const show = (index) => {
    chosen = index;
    const row = rows[index];
    at("name").textContent = row.name || row.formula;
    at("badge").textContent = right(row) ? "every atom right" : row.count ? "species differ" : "number of atoms differs";
    at("badge").className = `badge ${right(row) ? "good" : "bad"}`;
    const counts = row.atoms.map(({ numbers }) => numbers.length);
    at("caption0").textContent = row.formula;
    at("caption1").textContent = `MSE ${scientific(row.mse)} e²/Å⁶`;
    at("caption2").textContent = `${counts[0]} in the window of ${edge} Å`;
    at("caption3").textContent = `${counts[1]}; right species at ${row.species} of ${counts[0]}`;
    legend(row.atoms.flatMap(({ numbers }) => numbers), elements);
    paint();
  };

  // ---- what the reader does
  at("level").addEventListener("input", paintDensities);
  for (const view of views) view.addEventListener("dblclick", () => { reset(); paint(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
  list(lines, show);
})();
