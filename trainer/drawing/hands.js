"use strict";
// What the pages share: data blocks, choices that are kept in the address, and hands drawn flat on a canvas.
// A hand has 21 joints, then its vertices, as x, y and depth in units. Where it is drawn is a place: the pixels of
// the unit's origin (x, y), pixels per unit (scale), and how thick lines are.
const NUM_JOINTS = 21, UNITS = 8192, MESH_OPACITY = 0.75;
const control = (name) => document.getElementById(name);
const { bones, colours, faces } = (({ faces: packed, ...rest }) => ({ ...rest, faces: new Uint16Array(bytesOf(packed).buffer) }))(blockOf("hand"));

function bytesOf(base64) { return Uint8Array.from(atob(base64.trim()), (letter) => letter.charCodeAt(0)); }
function pointsOf(base64) { return base64 ? new Int16Array(bytesOf(base64).buffer) : null; }
function blockOf(name) { const block = control(name); return block ? JSON.parse(block.textContent) : {}; }
function element(kind, properties = {}, parent = null) {
  const made = Object.assign(document.createElement(kind), properties);
  if (parent) parent.append(made);
  return made;
}

// ---- what is shown, kept in the address: a view can be bookmarked
// `values` are fields and their first values, `choices` are boxes to tick and whether they are ticked at first.
function keepInAddress({ values, choices, changed }) {
  const ticked = Object.keys(choices);
  const read = () => {
    const state = new URLSearchParams(location.hash.slice(1));
    for (const name in values) control(name).value = state.get(name) ?? values[name];
    const shown = state.get("show")?.split(",") ?? ticked.filter((name) => choices[name]);
    for (const name of ticked) control(name).checked = shown.includes(name);
    changed();
  };
  const write = () => {
    const state = new URLSearchParams();
    for (const name in values) if (control(name).value) state.set(name, control(name).value);
    state.set("show", ticked.filter((name) => control(name).checked).join(","));
    history.replaceState(null, "", "#" + state);
    changed();
  };
  for (const name of [...Object.keys(values), ...ticked]) control(name).addEventListener("input", write);
  addEventListener("hashchange", read);
  read();
}

// ---- overlays
function drawMesh(pen, hand, place, isLeft = false) {
  const at = (vertex, axis) => hand[3 * (NUM_JOINTS + vertex) + axis], outside = isLeft ? 1 : -1;
  const triangles = [];
  for (let face = 0; face < faces.length; face += 3) {
    const [a, b, c] = [faces[face], faces[face + 1], faces[face + 2]];
    const u = [0, 1, 2].map((axis) => at(b, axis) - at(a, axis)), v = [0, 1, 2].map((axis) => at(c, axis) - at(a, axis));
    const normal = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
    const light = outside * (0.5 * normal[0] + 0.68 * normal[1] + 0.53 * normal[2]) / (Math.hypot(...normal) + 1e-9);
    triangles.push({ a, b, c, light: Math.max(0, light), depth: at(a, 2) + at(b, 2) + at(c, 2) });
  }
  triangles.sort((one, other) => other.depth - one.depth);
  const layer = new OffscreenCanvas(pen.canvas.width, pen.canvas.height), ink = layer.getContext("2d");
  for (const { a, b, c, light } of triangles) {
    const shade = 0.45 + 0.7 * light;
    ink.fillStyle = ink.strokeStyle = `rgb(${122 * shade}, ${192 * shade}, ${255 * shade})`;
    ink.beginPath();
    for (const vertex of [a, b, c]) ink.lineTo(place.x + at(vertex, 0) * place.scale, place.y + at(vertex, 1) * place.scale);
    ink.closePath(); ink.fill(); ink.stroke();
  }
  pen.drawImage(layer, 0, 0);
}
function drawSkeleton(pen, hand, place, { stride = 3, dashed = false } = {}) {
  const at = (joint) => [place.x + hand[stride * joint] * place.scale, place.y + hand[stride * joint + 1] * place.scale];
  const { thick } = place;
  pen.setLineDash(dashed ? [5 * thick, 5 * thick] : []);
  for (const [width, border] of [[6, true], [3.4, false]]) for (const [start, end] of bones) {
    pen.lineWidth = width * thick;
    pen.strokeStyle = border ? "#141418" : dashed ? "#ffffff" : colours[end];
    pen.beginPath(); pen.moveTo(...at(start)); pen.lineTo(...at(end)); pen.stroke();
  }
  pen.setLineDash([]);
  if (dashed) return;
  for (let joint = 0; joint < NUM_JOINTS; joint++) {
    pen.fillStyle = colours[joint]; pen.lineWidth = 1.4 * thick; pen.strokeStyle = "#141418";
    pen.beginPath(); pen.arc(...at(joint), 4.2 * thick, 0, 7); pen.fill(); pen.stroke();
  }
}
