"use strict";
// Draws rows of the element #data, whose form rawshelf/preview/page_data.py describes.
// All text goes through textContent: names of a release are data, never markup.

const data = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const SVG = at("drawing").content.firstElementChild.namespaceURI;

const GAP = 8;
const TITLE = 22; // room for the name above a view
const LETTER = 7; // about the width of one, at 12 pixels
const BOLD = 8.2; // the same, of a bold one
const LINE = 13; // the height of a word
const BOX = "#ffb020";

const paired = data.marks.length > 1;

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
    const place = { x, y, width, height, preserveAspectRatio: "none" };
    return [shape("image", { class: "mask", "data-key": `layer${number}`, href, ...place })];
  });
}

// Where the boxes of a row lie, but for those that the release leaves open.
function rectanglesOf(item, frame, marks) {
  const kinds = valueOf(item.row, marks.kinds);
  return boxesOf(item.row, marks).flatMap((box, number) => {
    if (box.some((edge) => edge === null)) return [];
    const [left, top, right, bottom] = edgesOf(box);
    const [x, y] = [frame.left + left * frame.sx, frame.top + top * frame.sy];
    const size = { width: Math.max(0, right - left) * frame.sx, height: Math.max(0, bottom - top) * frame.sy };
    return [{ kind: kinds?.[number], x, y, ...size }];
  });
}

function boxShapes(rectangles) {
  return rectangles.map(({ kind, ...place }) => {
    const known = kind !== undefined;
    const rectangle = shape("rect", { class: "box", ...place, stroke: known ? kindColour(kind) : BOX });
    return shape("g", known ? { class: "mark", "data-key": `kind${kind}` } : {}, rectangle);
  });
}

// Inside of the box, above it, below it, or further down inside.
function boxWords(rectangles, frame) {
  return rectangles.flatMap(({ kind, x, y, height }) => {
    if (kind === undefined) return [];
    const lines = [2 + LINE, -3, height + LINE + 1, 2 + 2 * LINE, 2 + 3 * LINE, 2 + 4 * LINE];
    const starts = lines.map((line) => [x + 4, y + line]);
    return [{ key: `kind${kind}`, text: kindName(kind), starts, frame }];
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

function pointShapes(places, radius) {
  return places.map(({ id, x, y }) => {
    const circle = shape("circle", { class: "point", cx: x, cy: y, r: radius, fill: pointColour(id) });
    return shape("g", { class: "mark", "data-key": `point${id}` }, circle);
  });
}

// To the right of the point and up, or where else around it.
function pointWords(places, radius, frame) {
  return places.map(({ id, x, y }) => {
    const text = String(id);
    const [right, left] = [x + radius + 2, x - radius - 2 - text.length * BOLD];
    const middle = x - (text.length * BOLD) / 2;
    const starts = [
      [right, y - 3],
      [right, y + LINE],
      [left, y - 3],
      [left, y + LINE],
      [middle, y - radius - 3],
      [middle, y + radius + LINE],
    ];
    return { key: `point${id}`, text, starts, frame };
  });
}

function overlap(one, other) {
  const beside = one.right <= other.left || other.right <= one.left;
  return !beside && one.top < other.bottom && other.top < one.bottom;
}

function spaceOf({ text, frame }, [x, y]) {
  const wide = text.length * BOLD;
  const left = Math.max(frame.left, Math.min(x, frame.left + frame.width - wide));
  const bottom = Math.max(frame.top + LINE, Math.min(y, frame.top + frame.height));
  return { left, right: left + wide, top: bottom - LINE, bottom };
}

// Words where they cover no point and no word before them, as far as there is room.
function wordShapes(wishes, points, radius) {
  const taken = points.map(({ x, y }) => ({
    left: x - radius,
    right: x + radius,
    top: y - radius,
    bottom: y + radius,
  }));
  return wishes.map((wish) => {
    const spaces = wish.starts.map((start) => spaceOf(wish, start));
    const space = spaces.find((each) => !taken.some((other) => overlap(each, other))) ?? spaces[0];
    taken.push(space);
    const text = shape("text", { class: "word", x: space.left, y: space.bottom - 3 }, wish.text);
    return shape("g", { class: "mark", "data-key": wish.key }, text);
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
  const words = [];
  views.forEach((view, place) => {
    const frame = plan.frames[place];
    const masks = masksOf(view, frame, on);
    svg.append(...photograph(view, frame, masks.length > 0), ...masks);
    if (head) svg.append(titleOf(view, frame, numbers[place] === item.cover.at(-1) && views.length > 2));
    const rectangles = marks[place] ? rectanglesOf(item, frame, marks[place]) : [];
    if (on.boxes) svg.append(...boxShapes(rectangles));
    if (on.names) words.push(...boxWords(rectangles, frame));
  });
  const ends = plan.frames.map((frame, place) => (marks[place]?.x ? placesOf(item, frame, marks[place]) : []));
  if (on.lines && ends.length === 2) svg.append(...linkShapes(ends));
  ends.forEach((places, place) => {
    if (on.points) svg.append(...pointShapes(places, radius));
    if (on.numbers) words.push(...pointWords(places, radius, plan.frames[place]));
  });
  svg.append(...wordShapes(words, on.points ? ends.flat() : [], radius));
  return svg;
}

function titleOf(view, frame, own) {
  const most = Math.max(4, Math.floor(frame.width / (own ? BOLD : LETTER)));
  const text = view.title.length > most ? `${view.title.slice(0, most - 1)}\u2026` : view.title;
  const element = shape("text", { class: own ? "title own" : "title", x: frame.left, y: frame.top - 7 }, text);
  element.append(shape("title", {}, view.title));
  return element;
}
