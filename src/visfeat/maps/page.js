"use strict";
// Coordinates of points go from 0 to 10,000 in both directions, y downwards; those of the screen are CSS pixels.
const data = JSON.parse(document.getElementById("data").textContent);
const element = (id) => document.getElementById(id);
const canvas = element("map"), pen = canvas.getContext("2d"), card = element("card");
const count = data.x.length, WORLD = 10000, CELLS = 100, PICTURE_PX = 56, REACH_PX = 14;
const hasGroups = data.groups.length > 0;
const shownGroups = new Set(data.groups.keys());
const images = new Map();
let view = { scale: 1, left: 0, top: 0 };
let wanted = "", hovered = -1, kept = -1, queued = false, size = { width: 1, height: 1 };

// Points by cell of a grid, so that finding the one under the pointer does not look at all of them.
const cells = Array.from({ length: CELLS * CELLS }, () => []);
const cellOf = (value) => Math.min(CELLS - 1, Math.max(0, Math.floor((value / WORLD) * CELLS)));
for (let i = 0; i < count; i++) cells[cellOf(data.y[i]) * CELLS + cellOf(data.x[i])].push(i);

const screenX = (i) => data.x[i] * view.scale + view.left;
const screenY = (i) => data.y[i] * view.scale + view.top;
const color = (i) => (data.group[i] >= 0 ? data.colors[data.group[i]] : hasGroups ? "#8a9099" : data.colors[0]);

function isShown(i) {
  if (data.group[i] >= 0 && !shownGroups.has(data.group[i])) return false;
  return wanted === "" || data.names[data.item[i]].toLowerCase().includes(wanted);
}

function showAll() {
  view.scale = Math.min(size.width, size.height) / WORLD;
  view.left = (size.width - WORLD * view.scale) / 2;
  view.top = (size.height - WORLD * view.scale) / 2;
  redraw();
}

function zoom(factor, x, y) {
  const smallest = Math.min(size.width, size.height) / WORLD / 4;
  const scale = Math.min(Math.max(view.scale * factor, smallest), 40);
  view.left = x - ((x - view.left) * scale) / view.scale;
  view.top = y - ((y - view.top) * scale) / view.scale;
  view.scale = scale;
  redraw();
}

function redraw() {
  if (queued) return;
  queued = true;
  requestAnimationFrame(() => { queued = false; draw(); });
}

function draw() {
  const ratio = window.devicePixelRatio || 1;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, size.width, size.height);
  const closeness = (view.scale * WORLD) / Math.min(size.width, size.height);
  const radius = Math.min(7, (count > 3000 ? 1.8 : 3) * Math.sqrt(closeness));
  const visible = visiblePoints();
  pen.globalAlpha = 0.75;
  for (const i of visible) {
    pen.fillStyle = color(i);
    pen.beginPath();
    pen.arc(screenX(i), screenY(i), radius, 0, 2 * Math.PI);
    pen.fill();
  }
  pen.globalAlpha = 1;
  if (element("with-pictures").checked) drawPictures(visible);
  const marked = kept >= 0 ? kept : hovered;
  if (marked >= 0) {
    pen.strokeStyle = getComputedStyle(document.body).color;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(screenX(marked), screenY(marked), radius + 4, 0, 2 * Math.PI);
    pen.stroke();
  }
  placeCard(marked);
}

function visiblePoints() {
  const found = [];
  for (let i = 0; i < count; i++) {
    const x = screenX(i), y = screenY(i);
    if (x > -PICTURE_PX && y > -PICTURE_PX && x < size.width + PICTURE_PX && y < size.height + PICTURE_PX && isShown(i)) found.push(i);
  }
  return found;
}

// Pictures where there is room, in the order of the points, so that they stay put while one moves.
function drawPictures(visible) {
  const step = PICTURE_PX * 1.1, taken = new Set();
  const originX = ((view.left % step) + step) % step, originY = ((view.top % step) + step) % step;
  for (const i of visible) {
    if (!(i in data.pictures)) continue;
    const column = Math.floor((screenX(i) - originX) / step), row = Math.floor((screenY(i) - originY) / step);
    const place = column + ":" + row;
    if (taken.has(place)) continue;
    taken.add(place);
    const image = imageOf(i);
    if (!image.complete || !image.naturalWidth) continue;
    const shrink = PICTURE_PX / Math.max(image.naturalWidth, image.naturalHeight);
    const width = image.naturalWidth * shrink, height = image.naturalHeight * shrink;
    const x = originX + (column + 0.5) * step - width / 2, y = originY + (row + 0.5) * step - height / 2;
    pen.drawImage(image, x, y, width, height);
    pen.strokeStyle = color(i);
    pen.lineWidth = hasGroups ? 2 : 1;
    pen.strokeRect(x, y, width, height);
  }
}

function imageOf(i) {
  let image = images.get(i);
  if (!image) {
    image = new Image();
    image.onload = redraw;
    image.src = "data:image/jpeg;base64," + data.pictures[i];
    images.set(i, image);
  }
  return image;
}

function nearest(x, y) {
  const worldX = (x - view.left) / view.scale, worldY = (y - view.top) / view.scale, reach = REACH_PX / view.scale;
  let best = -1, least = reach * reach;
  for (let row = cellOf(worldY - reach); row <= cellOf(worldY + reach); row++) {
    for (let column = cellOf(worldX - reach); column <= cellOf(worldX + reach); column++) {
      for (const i of cells[row * CELLS + column]) {
        const apart = (data.x[i] - worldX) ** 2 + (data.y[i] - worldY) ** 2;
        if (apart <= least && isShown(i)) { least = apart; best = i; }
      }
    }
  }
  return best;
}

function placeCard(i) {
  card.hidden = i < 0;
  card.classList.toggle("kept", kept >= 0);
  if (i < 0) return;
  const item = data.item[i], time = data.time[i], hasPicture = i in data.pictures;
  element("picture").hidden = !hasPicture;
  element("none").hidden = hasPicture;
  if (hasPicture) element("picture").src = "data:image/jpeg;base64," + data.pictures[i];
  element("name").textContent = data.names[item];
  if (data.links[item]) element("name").href = data.links[item] + (time === null ? "" : "#t=" + time);
  else element("name").removeAttribute("href");
  const group = data.group[i] >= 0 ? data.groups[data.group[i]] : "";
  element("about").textContent = [time === null ? "" : "at " + time.toFixed(2) + " s", group].filter(Boolean).join(", ");
  const x = screenX(i), y = screenY(i);
  card.style.left = Math.max(4, x + 16 + card.offsetWidth > size.width ? x - 16 - card.offsetWidth : x + 16) + "px";
  card.style.top = Math.max(4, Math.min(y + 16, size.height - card.offsetHeight - 4)) + "px";
}

// Pointers that are down, by id: one moves the map, two zoom it.
const pointers = new Map();
let travelled = 0;
const at = (event) => { const box = canvas.getBoundingClientRect(); return { x: event.clientX - box.left, y: event.clientY - box.top }; };

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, at(event));
  travelled = 0;
  canvas.classList.add("moving");
});
canvas.addEventListener("pointermove", (event) => {
  const now = at(event), before = pointers.get(event.pointerId);
  if (!before) {
    const found = nearest(now.x, now.y);
    if (found !== hovered) { hovered = found; redraw(); }
    return;
  }
  if (pointers.size === 1) {
    view.left += now.x - before.x;
    view.top += now.y - before.y;
  } else if (pointers.size === 2) {
    const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
    const was = Math.hypot(before.x - other.x, before.y - other.y), is = Math.hypot(now.x - other.x, now.y - other.y);
    if (was > 0) zoom(is / was, (now.x + other.x) / 2, (now.y + other.y) / 2);
  }
  travelled += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
  pointers.set(event.pointerId, now);
  redraw();
});
function released(event) {
  const was = pointers.delete(event.pointerId);
  if (pointers.size === 0) canvas.classList.remove("moving");
  if (was && event.type === "pointerup" && travelled < 5) {
    const now = at(event), found = nearest(now.x, now.y);
    kept = found === kept ? -1 : found;
    redraw();
  }
}
canvas.addEventListener("pointerup", released);
canvas.addEventListener("pointercancel", released);
canvas.addEventListener("pointerleave", () => { if (hovered >= 0) { hovered = -1; redraw(); } });
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const { x, y } = at(event);
  zoom(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0015)), x, y);
}, { passive: false });
canvas.addEventListener("dblclick", (event) => { const { x, y } = at(event); zoom(2, x, y); });
canvas.addEventListener("keydown", (event) => {
  const moves = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };
  if (event.key in moves) { view.left += moves[event.key][0]; view.top += moves[event.key][1]; redraw(); }
  else if (event.key === "+" || event.key === "=") zoom(1.4, size.width / 2, size.height / 2);
  else if (event.key === "-") zoom(1 / 1.4, size.width / 2, size.height / 2);
  else if (event.key === "0") showAll();
  else if (event.key === "Escape") { kept = -1; redraw(); }
  else return;
  event.preventDefault();
});

element("in").onclick = () => zoom(1.4, size.width / 2, size.height / 2);
element("out").onclick = () => zoom(1 / 1.4, size.width / 2, size.height / 2);
element("all").onclick = showAll;
element("with-pictures").onchange = redraw;
element("find").oninput = (event) => { wanted = event.target.value.trim().toLowerCase(); hovered = kept = -1; redraw(); };
element("tools").onsubmit = (event) => event.preventDefault();
element("title").textContent = data.title;
element("subtitle").textContent = data.subtitle;

data.groups.forEach((name, number) => {
  const button = document.createElement("button"), dot = document.createElement("span");
  dot.style.background = data.colors[number];
  button.append(dot, name + " (" + data.group.filter((one) => one === number).length + ")");
  button.onclick = () => {
    if (!shownGroups.delete(number)) shownGroups.add(number);
    button.classList.toggle("off", !shownGroups.has(number));
    hovered = kept = -1;
    redraw();
  };
  element("groups").append(button);
});

function fit() {
  const box = canvas.getBoundingClientRect(), ratio = window.devicePixelRatio || 1, first = size.width === 1;
  size = { width: Math.max(1, box.width), height: Math.max(1, box.height) };
  canvas.width = Math.round(size.width * ratio);
  canvas.height = Math.round(size.height * ratio);
  if (first) showAll(); else redraw();
}
new ResizeObserver(fit).observe(canvas);
fit();
