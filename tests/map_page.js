// Runs the script of a map's page in a document made of stand-ins: node map_page.js PAGE.html prints what it did.
"use strict";
const fs = require("fs"), vm = require("vm");
const page = fs.readFileSync(process.argv[2], "utf-8");
const data = page.match(/<script type="application\/json" id="data">([^]*?)<\/script>/)[1];
const script = page.match(/<script>\n([^]*?)\n<\/script>/)[1];
const drawn = { dots: 0, pictures: 0 };
const pen = new Proxy({}, {
  get: (_, name) => () => { if (name === "fill") drawn.dots++; if (name === "drawImage") drawn.pictures++; },
  set: () => true,
});
const element = (id) => ({
  id, style: {}, children: [], listeners: {}, hidden: false, checked: true, textContent: id === "data" ? data : "",
  offsetWidth: 200, offsetHeight: 150, classList: { add() {}, remove() {}, toggle() {} },
  getContext: () => pen, setPointerCapture() {}, removeAttribute() {}, append(...parts) { this.children.push(...parts); },
  getBoundingClientRect: () => ({ left: 0, top: 0, width: 800, height: 600 }),
  addEventListener(name, listener) { this.listeners[name] = listener; },
});
const elements = {}, frames = [];
const find = (id) => (elements[id] ??= element(id));
const context = vm.createContext({
  document: { getElementById: find, createElement: element, body: {} },
  window: { devicePixelRatio: 2 }, getComputedStyle: () => ({ color: "black" }),
  requestAnimationFrame: (draw) => frames.push(draw), ResizeObserver: class { observe() {} },
  Image: class { constructor() { this.complete = true; this.naturalWidth = 96; this.naturalHeight = 72; } },
});
const settle = () => { drawn.dots = drawn.pictures = 0; while (frames.length) frames.shift()(); return { ...drawn }; };
vm.runInContext(script, context);
const points = JSON.parse(data), canvas = find("map"), scale = 600 / 10000, left = 100;
const over = (i) => ({ pointerId: 1, clientX: points.x[i] * scale + left, clientY: points.y[i] * scale, preventDefault() {} });
const result = { all: settle(), title: find("title").textContent, groups: find("groups").children.length };
canvas.listeners.pointermove(over(0));
settle();
result.name = find("name").textContent;
result.shown = !find("card").hidden;
canvas.listeners.wheel({ ...over(0), deltaY: -3000, deltaMode: 0 });
result.close = settle();
find("all").onclick();
result.back = settle();
canvas.listeners.pointerdown({ ...over(0) });
canvas.listeners.pointermove({ ...over(0), clientX: 5000 });
canvas.listeners.pointerup({ ...over(0), clientX: 5000, type: "pointerup" });
result.away = settle();
find("all").onclick();
find("find").oninput({ target: { value: points.names[0] } });
result.found = settle();
console.log(JSON.stringify(result));
