"use strict";
// Draws the rows in the element #data, whose form rawshelf/preview/page_data.py describes.
// All text goes through textContent: names of a release are data, never markup.

const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const SVG = at("drawing").content.firstElementChild.namespaceURI;

const STEP = 48; // cards at a time: as many photographs as a phone decodes without a pause
const CARD = { width: 320, height: 220, fixed: true };
const PAIR = { width: 400, height: 180, fixed: true };
const GAP = 8;
const TITLE = 22; // room for the name above a view
const NARROW = 560; // below it a pair stands one above the other
const LETTER = 7.5; // about the width of one, at 12 pixels
const BOX = "#ffb020";

const paired = data.marks.length > 1;

const state = { query: "", values: {}, row: null, shown: STEP };
const drawn = {}; // which toggles are on
let found = data.items.map((_, number) => number);

// --- elements -----------------------------------------------------------------------------

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function shape(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function word(x, y, text, right, className = "word") {
  const overflows = x + text.length * LETTER > right;
  const place = overflows ? { x: right - 2, "text-anchor": "end" } : { x };
  return shape("text", { class: className, y, ...place }, text);
}

// --- values of a row ----------------------------------------------------------------------

function valueOf(row, path) {
  return path === null ? null : path.split(".").reduce((value, name) => value?.[name], row) ?? null;
}

function boxesOf(row, marks) {
  const value = valueOf(row, marks.box) ?? [];
  return value.length && !Array.isArray(value[0]) ? [value] : value;
}

// The outer edges of a box; (0, 0) is the outer corner of the first pixel.
function edgesOf([a, b, c, d]) {
  return data.boxes === "voc" ? [a - 1, b - 1, c, d] : [a, b, a + c, b + d];
}

function pointsOf(row, marks) {
  const [ids, xs, ys] = [marks.ids, marks.x, marks.y].map((path) => valueOf(row, path) ?? []);
  return ids.map((id, number) => ({ id, x: xs[number], y: ys[number] }));
}

const kindColour = (kind) => data.layers[0].colours[kind];
const kindName = (kind) => data.layers[0].names[kind];
const pointColour = (id) => data.colours[id % data.colours.length];

// --- drawing ------------------------------------------------------------------------------

// Frames of views in rows of so many, each row of one height and in the middle.
function layout(views, width, height, columns, head) {
  const frames = [];
  let top = 0;
  for (let first = 0; first < views.length; first += columns) {
    const line = views.slice(first, first + columns);
    const ratios = line.map(({ size }) => Math.max(1, size[0]) / Math.max(1, size[1]));
    const room = width - GAP * (line.length - 1);
    const high = Math.min(height - head, room / ratios.reduce((sum, ratio) => sum + ratio, 0));
    const used = ratios.reduce((sum, ratio) => sum + ratio * high, GAP * (line.length - 1));
    let left = (width - used) / 2;
    line.forEach(({ size }, place) => {
      const wide = ratios[place] * high;
      const [sx, sy] = [wide / Math.max(1, size[0]), high / Math.max(1, size[1])];
      frames.push({ left, top: top + head, width: wide, height: high, sx, sy });
      left += wide + GAP;
    });
    top += high + head + GAP;
  }
  return { frames, height: top - GAP };
}

function photograph(view, frame, grey) {
  const { left: x, top: y, width, height } = frame;
  const href = view.image === null ? null : data.pictures[view.image];
  if (href) {
    const place = { x, y, width, height, preserveAspectRatio: "none" };
    return [
      shape("image", { class: grey ? "grey" : "colour", href, ...place }),
      shape("rect", { class: "edge", x, y, width, height }),
    ];
  }
  const text = view.image === null ? "no image" : "does not decode";
  return [
    shape("rect", { class: "blank", x, y, width, height }),
    shape("text", { class: "title", x: x + 8, y: y + height - 8 }, text),
  ];
}

function masksOf(view, frame, on) {
  const { left: x, top: y, width, height } = frame;
  return view.masks.flatMap((mask, number) => {
    if (mask === null || !on[`layer${number}`]) return [];
    const href = data.pictures[mask.image];
    return [shape("image", { class: "mask", href, x, y, width, height, preserveAspectRatio: "none" })];
  });
}

function boxShapes(item, frame, marks, on) {
  const kinds = valueOf(item.row, marks.kinds);
  return boxesOf(item.row, marks).flatMap((box, number) => {
    if (box.some((edge) => edge === null)) return [];
    const [left, top, right, bottom] = edgesOf(box);
    const [x, y] = [frame.left + left * frame.sx, frame.top + top * frame.sy];
    const size = { width: Math.max(0, right - left) * frame.sx, height: Math.max(0, bottom - top) * frame.sy };
    const stroke = kinds ? kindColour(kinds[number]) : BOX;
    const group = shape("g", kinds ? { class: "mark", "data-key": `kind${kinds[number]}` } : {});
    if (on.boxes) group.append(shape("rect", { class: "box", x, y, ...size, stroke }));
    if (on.names && kinds) group.append(word(x + 4, y + 15, kindName(kinds[number]), frame.left + frame.width));
    return group.childElementCount ? [group] : [];
  });
}

function placesOf(item, frame, marks) {
  return pointsOf(item.row, marks).map(({ id, x, y }) => ({
    id,
    x: frame.left + (x + 0.5) * frame.sx, // the middle of the pixel
    y: frame.top + (y + 0.5) * frame.sy,
  }));
}

function linkShapes(ends) {
  const [from, to] = ends;
  return from.map(({ id, x, y }, number) => {
    const line = { x1: x, y1: y, x2: to[number].x, y2: to[number].y };
    return shape(
      "g",
      { class: "mark", "data-key": `point${id}` },
      shape("line", { class: "casing", ...line }),
      shape("line", { class: "link", ...line, stroke: pointColour(id) }),
    );
  });
}

function pointShapes(places, on, radius, right) {
  return places.map(({ id, x, y }) => {
    const group = shape("g", { class: "mark", "data-key": `point${id}` });
    group.append(shape("circle", { class: "point", cx: x, cy: y, r: radius, fill: pointColour(id) }));
    if (on.numbers) group.append(word(x + radius + 2, y - 3, String(id), right));
    return group;
  });
}

// One picture of some views of a row, in CSS pixels.
function drawing(item, numbers, { width, height, fixed, columns, head, on, radius, label }) {
  const views = numbers.map((number) => item.views[number]);
  const plan = layout(views, width, height, columns, head);
  const tall = fixed ? height : plan.height;
  for (const frame of plan.frames) frame.top += (tall - plan.height) / 2;
  const svg = shape("svg", { viewBox: `0 0 ${width} ${tall}`, role: "img", "aria-label": label });
  const marks = numbers.map((number) => data.marks[number]);
  views.forEach((view, place) => {
    const frame = plan.frames[place];
    const masks = masksOf(view, frame, on);
    svg.append(...photograph(view, frame, masks.length > 0), ...masks);
    if (head) svg.append(titleOf(view, frame, numbers[place] === item.cover.at(-1) && views.length > 2));
    if (marks[place]) svg.append(...boxShapes(item, frame, marks[place], on));
  });
  const ends = plan.frames.map((frame, place) => (marks[place]?.x ? placesOf(item, frame, marks[place]) : []));
  if (on.lines && ends.length === 2) svg.append(...linkShapes(ends));
  if (on.points) for (const places of ends) svg.append(...pointShapes(places, on, radius, width));
  return svg;
}

function titleOf(view, frame, own) {
  const most = Math.max(4, Math.floor(frame.width / LETTER));
  const text = view.title.length > most ? `${view.title.slice(0, most - 1)}\u2026` : view.title;
  const element = shape("text", { class: own ? "title own" : "title", x: frame.left, y: frame.top - 7 }, text);
  element.append(shape("title", {}, view.title));
  return element;
}

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

const PLAIN = { boxes: true, lines: true, points: true, layer0: true };

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

function toggles() {
  const has = (name) => data.marks.some((marks) => marks[name]);
  return [
    ...data.layers.map((layer, number) => [`layer${number}`, layer.title, layer.shown]),
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

// The kinds of what is drawn: of boxes and the first layer, then of other layers.
function maskLegend(item) {
  const kinds = data.marks.flatMap((marks) => valueOf(item.row, marks.kinds) ?? []);
  return data.layers.flatMap((layer, number) => {
    const masked = drawn[`layer${number}`] ? item.views.flatMap((view) => view.masks[number]?.values ?? []) : [];
    const boxed = number === 0 && (drawn.boxes || drawn.names) ? kinds : [];
    return [...new Set([...masked, ...boxed])].sort((a, b) => a - b).map((value) => {
      const count = kinds.filter((kind) => kind === value).length;
      const more = number ? layer.title.toLowerCase() : `${count} annotated`;
      const key = number ? `layer${number}` : `kind${value}`;
      return legendEntry(key, layer.colours[value], layer.names[value] ?? String(value), more);
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
