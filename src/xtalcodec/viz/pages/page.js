"use strict";
(() => {
  const { rows, elements } = JSON.parse(document.getElementById("data").textContent);
  const { make, formula, plainGroup, group } = Cell;
  const at = (id) => document.getElementById(id);
  const fixed = (x, digits) => (x === null ? "—" : x.toFixed(digits));
  const good = (row) => row.matched && !row.displaced;
  const state = (row) => (row.matched ? (row.displaced ? "displaced" : "matched") : row.crystals[1] ? "missed" : "not decoded");
  /** Whether a crystal has sites that elements share, or that are partly empty. */
  const disordered = (crystal) => Boolean(crystal && crystal.shares);
  const counts = (row) => row.crystals.map((crystal) => (crystal ? crystal.numbers.length : 0));

  // ---- the list
  const KEYS = {
    state: (row) => ["not decoded", "missed", "displaced", "matched"].indexOf(state(row)),
    name: (row) => row.name,
    formula: (row) => row.crystals[0].formula,
    group: (row) => plainGroup(row.groups[0]),
    sites: (row) => row.crystals[0].numbers.length,
    rms: (row) => row.rms,
    occupancy: (row) => row.occupancy,
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
    const mark = make("td", { matched: "✓", displaced: "!", missed: "✗", "not decoded": "∅" }[state(row)], `state ${good(row) ? "good" : "bad"}`);
    mark.title = row.displaced ? `matched, but a site is ${row.largest.toFixed(2)} Å off` : state(row);
    const kind = make("td", undefined, "formula");
    kind.append(formula(row.crystals[0].formula));
    const name = make("td", row.name, "name");
    name.title = row.name;
    const sites = numberCell(before === after ? `${before}` : `${before} → ${after || "—"}`, before === after ? "" : "bad");
    const confidence = numberCell("");
    const meter = make("span", fixed(row.confidence, 2), "meter");
    meter.style.setProperty("--share", row.confidence === null ? 0 : Math.max(0, Math.min(1, row.confidence)));
    confidence.append(meter);
    line.append(mark, kind, name, groupCell(row), sites, numberCell(fixed(row.rms, 4)), numberCell(fixed(row.occupancy, 3)), confidence);
    return line;
  });
  const haystacks = rows.map((row) =>
    [row.name, ...row.crystals.map((c) => (c ? c.formula : "")), ...row.groups, ...row.groups.map(plainGroup), state(row),
      ...(row.crystals.some(disordered) ? ["disordered"] : [])]
      .join("\n").toLowerCase());

  const list = () => {
    const words = at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const misses = at("misses").checked;
    shown = rows.map((_, k) => k).filter((k) => !(misses && good(rows[k])) && words.every((w) => haystacks[k].includes(w)));
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

  // ---- the two views and their common camera
  const views = [at("view0"), at("view1")];
  const { draw, reset } = Scene.linked(views, 1.5);

  // ---- the selected crystal
  const fact = (term, value) => {
    const pair = make("div");
    pair.append(make("dt", term), make("dd", value));
    return pair;
  };
  const describe = (side, crystal, symbol) => {
    at(`caption${side}`).replaceChildren();
    at(`cell${side}`).replaceChildren();
    if (!crystal) return;
    at(`caption${side}`).append(formula(crystal.formula), " · ", group(symbol || "—"));
    at(`caption${side}`).title = crystal.formula;
    for (const text of Cell.lines(crystal, elements)) at(`cell${side}`).append(text, document.createElement("br"));
  };
  const paint = () => {
    if (chosen < 0) return;
    const { crystals } = rows[chosen];
    const radius = Cell.reach(crystals.filter(Boolean));
    crystals.forEach((crystal, side) => draw(side, crystal && ((colors, axes) => Cell.parts(crystal, elements, colors, axes)), radius, disordered(crystal)));
  };
  const choose = (index) => {
    if (chosen >= 0) lines[chosen].removeAttribute("aria-selected");
    chosen = index;
    const row = rows[index];
    lines[index].setAttribute("aria-selected", "true");
    if (lines[index].isConnected) lines[index].scrollIntoView({ block: "nearest" });
    at("name").textContent = row.name || row.crystals[0].formula;
    at("badge").textContent = state(row);
    at("badge").className = `badge ${good(row) ? "good" : "bad"}`;
    const facts = [];
    if (row.rms !== null) facts.push(fact("RMS", `${row.rms.toFixed(4)} Å`));
    if (row.occupancy !== null) facts.push(fact("occupancies off by", row.occupancy.toFixed(4)));
    if (row.largest !== null) facts.push(fact("largest", `${row.largest.toFixed(4)} Å`));
    if (row.crystals[1] && !row.composition) facts.push(fact("composition", "differs"));
    if (row.crystals[1] && row.reason) facts.push(fact(row.matched ? "elements" : "why", row.reason));
    facts.push(fact("confidence", fixed(row.confidence, 2)));
    at("facts").replaceChildren(...facts);
    at("legend").replaceChildren(...Cell.legend(row.crystals.filter(Boolean), elements));
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
  for (const view of views) view.addEventListener("dblclick", () => { reset(); paint(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);

  at("list").classList.toggle("with-shared", rows.some((row) => row.crystals.some(disordered)));
  const asked = Number(location.hash.slice(1)) - 1;
  if (rows[asked]) choose(asked);
  list();
})();
