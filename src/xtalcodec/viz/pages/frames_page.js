(() => {
  const { rows, elements, range } = JSON.parse(document.getElementById("data").textContent);
  const { STEPS, at, make, reach, surface, structure, legend, list } = Cube;
  const PACE = 1000; // ms that a frame stays while the frames play
  const views = [at("view0"), at("view1")];
  const { draw, reset } = Scene.linked(views, 2);
  const RADIUS = reach(Math.max(...rows.map(({ edge }) => edge)));
  let chosen = -1;

  /** The value that the slider stands at: a share of the range of all frames, so that it means the same in each. */
  const level = () => range[0] + ((range[1] - range[0]) * Number(at("level").value)) / 100;
  const paintDensity = () => {
    const { density, edge } = rows[chosen];
    at("value").textContent = `${level().toFixed(2)} e/Å³`;
    draw(0, (colors) => surface(density, edge, level(), range, colors), RADIUS);
  };
  const paint = () => {
    const { atoms, edge } = rows[chosen];
    paintDensity();
    draw(1, (colors, axes) => structure(atoms, edge, elements, colors, axes), RADIUS, Boolean(atoms.shares));
  };

  // ---- the list
  const lines = rows.map(({ title, atoms }) => {
    const line = document.createElement("tr");
    const name = make("td", title, "formula");
    name.title = title;
    line.append(name, make("td", `${atoms.numbers.length}`, "number"));
    return line;
  });
  at("count").textContent = `${rows.length} frames`;
  const show = (index) => {
    chosen = index;
    const { title, highest, atoms, edge } = rows[index];
    at("name").textContent = title;
    at("caption0").textContent = `at most ${highest.toFixed(2)} e/Å³`;
    at("caption1").textContent = `${atoms.numbers.length} in the window of ${edge} Å`;
    legend(atoms.shares ? atoms.shares.flat().map(([z]) => z).filter((z) => z !== Sectors.EMPTY) : atoms.numbers, elements);
    paint();
  };
  const choose = list(lines, show, { ...STEPS, ArrowRight: 1, ArrowLeft: -1 });

  // ---- what the reader does
  let playing = null;
  at("play").disabled = rows.length < 2;
  at("play").addEventListener("click", () => {
    clearInterval(playing);
    playing = playing === null ? setInterval(() => choose((chosen + 1) % rows.length), PACE) : null;
    at("play").textContent = playing === null ? "Play" : "Pause";
  });
  at("level").addEventListener("input", paintDensity);
  for (const view of views) view.addEventListener("dblclick", () => { reset(); paint(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
})();
