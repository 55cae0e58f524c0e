"use strict";
// The page around the pictures of drawing.js: filters, cards, one row, the keyboard, the address.

const STEP = 48; // cards at a time: as many photographs as a phone decodes without a pause
const CARD = { width: 320, height: 220, fixed: true };
const PAIR = { width: 400, height: 180, fixed: true };
const NARROW = 560; // below it a pair stands one above the other

const state = { query: "", values: {}, row: null, shown: STEP };
const drawn = {}; // which toggles are on
let found = data.items.map((_, number) => number);

// --- filters ------------------------------------------------------------------------------

const texts = data.items.map((item) =>
  [item.name, item.title, item.note, ...item.views.map((view) => view.title)].join("\n").toLowerCase(),
);

function matches(number, without = null) {
  if (!texts[number].includes(state.query.toLowerCase())) return false;
  return data.facets.every(({ key }, place) => {
    const wanted = state.values[key];
    return key === without || wanted === undefined || data.items[number].values[place].includes(wanted);
  });
}

function counts(place, key) {
  const tally = new Map();
  data.items.forEach((item, number) => {
    const counted = matches(number, key) ? 1 : 0;
    for (const value of item.values[place]) tally.set(value, (tally.get(value) ?? 0) + counted);
  });
  return tally;
}

function fillSelect(select, { key, names }, place) {
  const tally = counts(place, key);
  const values = [...tally.keys()].sort((a, b) => a - b);
  if (values.length > 25) values.sort((a, b) => names[a].localeCompare(names[b], "en"));
  const options = values.map((value) => {
    const text = `${names[value]} (${tally.get(value)})`;
    return make("option", { value, textContent: text, selected: state.values[key] === value });
  });
  select.replaceChildren(make("option", { value: "", textContent: "any" }), ...options);
  select.parentElement.classList.toggle("chosen", state.values[key] !== undefined);
}

function buildFilters() {
  data.facets.forEach((facet, place) => {
    if (counts(place, facet.key).size < 2) return; // no choice
    const select = make("select", { id: `facet-${facet.key}` });
    select.addEventListener("change", () => {
      state.values[facet.key] = select.value === "" ? undefined : Number(select.value);
      change();
    });
    at("reset").before(make("label", { className: "field" }, facet.title, select));
  });
  at("query").addEventListener("input", () => {
    state.query = at("query").value;
    change();
  });
  at("filters").addEventListener("submit", (event) => event.preventDefault());
  at("filters").addEventListener("reset", (event) => {
    event.preventDefault();
    Object.assign(state, { query: "", values: {} });
    change();
  });
}

function change() {
  state.shown = STEP;
  writeAddress();
  showRows();
}

// --- the address: it keeps filters and the open row ---------------------------------------

function writeAddress() {
  const words = new URLSearchParams();
  for (const { key, names } of data.facets) {
    if (state.values[key] !== undefined) words.set(key, names[state.values[key]]);
  }
  if (state.query) words.set("q", state.query);
  if (state.row !== null) words.set("row", state.row);
  history.replaceState(null, "", `#${words}`);
}

function readAddress() {
  const words = new URLSearchParams(location.hash.slice(1));
  state.values = {};
  for (const { key, names } of data.facets) {
    const value = names.indexOf(words.get(key));
    if (value >= 0) state.values[key] = value;
  }
  state.query = words.get("q") ?? "";
  const row = words.get("row");
  state.row = row !== null && data.items[Number(row)] ? Number(row) : null;
}

// --- cards --------------------------------------------------------------------------------

const PLAIN = {
  ...{ boxes: true, lines: true, points: true },
  ...Object.fromEntries(data.layers.map(({ shown }, number) => [`layer${number}`, shown])),
};

function card(number) {
  const item = data.items[number];
  const label = `${item.title}, ${item.note}`;
  const size = paired ? PAIR : CARD;
  const picture = drawing(item, item.cover, { ...size, columns: 2, head: 0, on: PLAIN, radius: 5, label });
  const words = make(
    "span",
    { className: "words" },
    make("strong", { textContent: item.title }),
    make("small", { textContent: item.note }),
  );
  const button = make("button", { type: "button", className: "card", title: item.name }, picture, words);
  button.dataset.row = number;
  button.addEventListener("click", () => openRow(number));
  return make("li", {}, button);
}

function showRows() {
  at("query").value = state.query;
  data.facets.forEach((facet, place) => {
    const select = at(`facet-${facet.key}`);
    if (select) fillSelect(select, facet, place);
  });
  found = [...data.items.keys()].filter((number) => matches(number));
  const all = data.items.length.toLocaleString("en");
  at("count").textContent =
    found.length === data.items.length ? `${all} rows` : `${found.length.toLocaleString("en")} of ${all} rows`;
  at("cards").replaceChildren(...found.slice(0, state.shown).map(card));
  at("cards").classList.toggle("wide", paired);
  at("more").hidden = found.length <= state.shown;
}

function showMore() {
  const first = state.shown;
  state.shown += STEP;
  at("cards").append(...found.slice(first, state.shown).map(card));
  at("more").hidden = found.length <= state.shown;
  at("cards").children[first].firstElementChild.focus();
}

// --- one row ------------------------------------------------------------------------------

function masked(layer) {
  return data.items.some((item) => item.views.some((view) => view.masks[layer]));
}

function toggles() {
  const has = (name) => data.marks.some((marks) => marks[name]);
  return [
    ...data.layers.flatMap(({ title, shown }, number) => (masked(number) ? [[`layer${number}`, title, shown]] : [])),
    ...(has("box") ? [["boxes", "Boxes", true]] : []),
    ...(has("kinds") ? [["names", "Names", true]] : []),
    ...(has("ids") ? [["points", "Keypoints", true], ["numbers", "Numbers", true]] : []),
    ...(has("ids") && paired ? [["lines", "Lines", true]] : []),
  ];
}

function buildToggles() {
  for (const [key, title, shown] of toggles()) {
    drawn[key] = shown;
    const box = make("input", { type: "checkbox", id: `toggle-${key}`, checked: shown });
    box.addEventListener("change", () => {
      drawn[key] = box.checked;
      drawRow();
    });
    at("toggles").append(make("label", {}, box, title));
  }
}

function light(key) {
  const svg = at("stage").firstElementChild;
  svg.classList.toggle("lit", svg.querySelector(`[data-key="${key}"]`) !== null);
  for (const element of document.querySelectorAll("#stage [data-key], #legend [data-key]")) {
    element.classList.toggle("on", element.dataset.key === key);
  }
}

function lightable(element) {
  const key = element.dataset.key;
  for (const event of ["pointerenter", "focus"]) element.addEventListener(event, () => light(key));
  for (const event of ["pointerleave", "blur"]) element.addEventListener(event, () => light(null));
  return element;
}

function legendEntry(key, colour, text, more) {
  const swatch = shape("svg", { viewBox: "0 0 14 14", "aria-hidden": "true" });
  swatch.append(shape("circle", { cx: 7, cy: 7, r: 7, fill: colour }));
  const button = make("button", { type: "button" }, swatch, text, make("span", { textContent: more }));
  button.dataset.key = key;
  return make("li", {}, lightable(button));
}

function pointLegend(item) {
  const sides = data.marks.filter((marks) => marks.ids).map((marks) => pointsOf(item.row, marks));
  return (sides[0] ?? []).map(({ id }, number) => {
    const places = sides.map((points) => `(${points[number].x}, ${points[number].y})`);
    return legendEntry(`point${id}`, pointColour(id), String(id), places.join(" \u2192 "));
  });
}

// The kinds of what is drawn: of boxes, whose kinds are those of the first layer, and of layers.
function maskLegend(item) {
  const kinded = data.marks.some((marks) => marks.kinds);
  const kinds = data.marks.flatMap((marks) => valueOf(item.row, marks.kinds) ?? []);
  return data.layers.flatMap((layer, number) => {
    const own = kinded && number === 0;
    const painted = drawn[`layer${number}`] ? item.views.flatMap((view) => view.masks[number]?.values ?? []) : [];
    const boxed = own && (drawn.boxes || drawn.names) ? kinds : [];
    return [...new Set([...painted, ...boxed])].sort((a, b) => a - b).map((value) => {
      const count = kinds.filter((kind) => kind === value).length;
      const more = own ? `${count} annotated` : layer.title.toLowerCase();
      const name = layer.names[value] ?? `value ${value}`;
      return legendEntry(own ? `kind${value}` : `layer${number}`, layer.colours[value], name, more);
    });
  });
}

function fact({ title, names }, values) {
  if (!values.length) return [];
  const said = values.map((value) => names[value]).join(", ");
  return [make("li", {}, `${title} `, make("strong", { textContent: said }))];
}

function tableRow([name, value]) {
  const { doc, names } = data.columns[name];
  const said = names[value] === undefined ? JSON.stringify(value) : `${value} (${names[value]})`;
  return make(
    "tr",
    {},
    make("th", { scope: "row", textContent: name }),
    make("td", {}, said, make("small", { textContent: doc })),
  );
}

function drawRow() {
  const item = data.items[state.row];
  const width = Math.max(240, Math.floor(at("stage").clientWidth));
  const columns = width < NARROW ? (paired ? 1 : 2) : 3;
  const height = Math.max(240, innerHeight * (item.views.length > columns ? 0.38 : 0.62));
  const label = item.views.map((view) => view.title).join(", ");
  const head = item.views.length > 1 ? TITLE : 0;
  const options = { width, height, fixed: false, columns, head, on: drawn, radius: 6, label };
  const svg = drawing(item, [...item.views.keys()], options);
  for (const element of svg.querySelectorAll("[data-key]")) lightable(element);
  at("stage").replaceChildren(svg);
  at("legend").replaceChildren(...pointLegend(item), ...maskLegend(item));
}

function showRow() {
  const item = data.items[state.row];
  at("heading").textContent = item.title;
  at("name").textContent = item.name;
  at("facts").replaceChildren(...data.facets.flatMap((facet, number) => fact(facet, item.values[number])));
  at("row").replaceChildren(...Object.entries(item.row).map(tableRow));
  const place = found.indexOf(state.row);
  at("previous").disabled = place <= 0;
  at("next").disabled = place < 0 || place >= found.length - 1;
  drawRow();
}

function openRow(number) {
  state.row = number;
  writeAddress();
  if (!at("detail").open) at("detail").showModal();
  showRow();
  at("detail").scrollTop = 0;
  at("heading").focus();
}

function step(by) {
  const next = found[found.indexOf(state.row) + by];
  if (next !== undefined && found.includes(state.row)) openRow(next);
}

function closed() {
  const last = state.row;
  state.row = null;
  writeAddress();
  document.querySelector(`.card[data-row="${last}"]`)?.focus();
}

function follow() {
  readAddress();
  state.shown = STEP;
  const wanted = state.row;
  if (wanted === null && at("detail").open) at("detail").close();
  showRows();
  if (wanted !== null) openRow(wanted);
}

function keys(event) {
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (by === undefined || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  step(by);
}

buildFilters();
buildToggles();
at("more").addEventListener("click", showMore);
at("previous").addEventListener("click", () => step(-1));
at("next").addEventListener("click", () => step(1));
at("close").addEventListener("click", () => at("detail").close());
at("detail").addEventListener("close", closed);
at("detail").addEventListener("keydown", keys);
addEventListener("resize", () => at("detail").open && drawRow());
addEventListener("hashchange", follow);
follow();
