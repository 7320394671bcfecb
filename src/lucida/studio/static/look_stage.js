// One image, large: it is zoomed and moved, and what was said of it is drawn over it.
import { h } from "/static/dom.js";
import { maskPicture } from "/static/masks.js";
import { say } from "/static/words.js";

const SVG = "http://www.w3.org/2000/svg";
const MOST = 40; // times as large as it fits
const CROWD = 60; // objects whose names would hide the image
export const COLOURS = ["#ffb020", "#40c8e0", "#ff5da2", "#7bd949", "#b196ff", "#ff7043", "#5c9dff", "#f4e04d"];

function node(name, attributes = {}, text = "") {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text) element.textContent = text;
  return element;
}

function rgb(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

export class Stage {
  constructor() {
    this.picture = h("img", { alt: "", draggable: "false", decoding: "async" });
    this.svg = node("svg", { "aria-hidden": "true" });
    this.sheet = h("div", { class: "sheet" }, this.picture, this.svg);
    this.broken = h("p", { class: "broken", hidden: true }, say("look.broken"));
    this.element = h("div", { class: "stage", tabindex: "0", "aria-label": say("look.stage") }, this.sheet, this.broken);
    this.pointers = new Map();
    this.clear();
    this.listen();
  }

  clear() {
    Object.assign(this, { width: 0, height: 0, scale: 1, x: 0, y: 0 });
    this.sheet.hidden = true;
    this.svg.replaceChildren();
  }

  show({ width, height, path }, address, larger) {
    Object.assign(this, { width, height, larger });
    this.sheet.hidden = false;
    this.broken.hidden = true;
    this.svg.replaceChildren(); // what was said of the last image
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.picture.alt = say("review.image", { path });
    this.picture.onerror = () => (this.broken.hidden = false);
    this.picture.src = address;
    this.fit();
  }

  // ---- zoom: the sheet has the size at which the image fits, and is scaled and moved from there ----

  fit() {
    Object.assign(this, { scale: 1, x: 0, y: 0 });
    this.place();
  }

  // Times as large as it fits, at least.
  get least() {
    return 1;
  }

  zoom(by, x, y) {
    const frame = this.element.getBoundingClientRect();
    const [dx, dy] = [(x ?? frame.left + frame.width / 2) - frame.left - frame.width / 2, (y ?? frame.top + frame.height / 2) - frame.top - frame.height / 2];
    const scale = Math.max(this.least, Math.min(MOST, this.scale * by));
    // What lies under the pointer stays there.
    this.x = dx - ((dx - this.x) * scale) / this.scale;
    this.y = dy - ((dy - this.y) * scale) / this.scale;
    this.scale = scale;
    if (scale > 1.4 && this.larger && Math.max(this.width, this.height) > 1600) {
      this.picture.src = this.larger;
      this.larger = null;
    }
    this.place();
  }

  place() {
    if (!this.width) return;
    const { clientWidth, clientHeight } = this.element;
    const fit = Math.min(clientWidth / this.width, clientHeight / this.height);
    const [width, height] = [this.width * fit, this.height * fit];
    const room = (side, frame) => Math.max(0, (side * this.scale - frame) / 2);
    this.x = Math.max(-room(width, clientWidth), Math.min(room(width, clientWidth), this.x));
    this.y = Math.max(-room(height, clientHeight), Math.min(room(height, clientHeight), this.y));
    Object.assign(this.sheet.style, { width: `${width}px`, height: `${height}px`, transform: `translate(calc(-50% + ${this.x}px), calc(-50% + ${this.y}px)) scale(${this.scale})` });
    this.element.classList.toggle("zoomed", this.scale > 1);
    this.picture.classList.toggle("coarse", fit * this.scale > 3); // pixels are shown as they are
    this.pixel = 1 / Math.max(fit * this.scale, 1e-6); // pixels of the image in one of the screen
    this.svg.style.setProperty("--pixel", `${this.pixel}px`);
    for (const text of this.svg.querySelectorAll("text")) this.letter(text);
  }

  listen() {
    new ResizeObserver(() => this.place()).observe(this.element);
    this.element.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 400), event.clientX, event.clientY);
    }, { passive: false });
    this.element.addEventListener("dblclick", (event) => (this.scale > 1 ? this.fit() : this.zoom(3, event.clientX, event.clientY)));
    this.element.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      this.element.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    });
    this.element.addEventListener("pointermove", (event) => this.drag(event));
    for (const name of ["pointerup", "pointercancel"]) this.element.addEventListener(name, (event) => this.pointers.delete(event.pointerId));
  }

  drag(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = [event.clientX, event.clientY];
    this.pointers.set(event.pointerId, now);
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const apart = ([x, y]) => Math.max(1, Math.hypot(x - other[0], y - other[1]));
      this.zoom(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    } else if (this.scale > 1) {
      this.x += now[0] - before[0];
      this.y += now[1] - before[1];
      this.place();
    }
  }

  // ---- what was said ----

  // layers: [{ run, colour, objects }]; least: leave out what is less sure; names: whether names stand beside objects.
  draw(layers, least, names) {
    const shown = layers.map((layer) => ({ ...layer, objects: layer.objects.filter(({ score }) => score === null || score >= least) }));
    const crowd = shown.reduce((sum, { objects }) => sum + objects.length, 0) > CROWD;
    this.svg.classList.toggle("unnamed", !names);
    this.svg.classList.toggle("crowd", crowd);
    this.svg.replaceChildren(...shown.map((layer) => this.layer(layer)));
    this.place();
  }

  layer({ run, objects }) {
    const group = node("g", { "data-run": run });
    group.append(...objects.map((one) => this.object(one)));
    return group;
  }

  object(one) {
    const group = node("g", { class: `object ${one.by}`, "data-label": one.label });
    group.style.setProperty("--colour", one.colour);
    const parts = [];
    if (one.mask) {
      const [x, y, width, height] = one.mask.place;
      const href = maskPicture(one.mask, rgb(one.colour), 0.45);
      parts.push(node("image", { href, x, y, width, height, preserveAspectRatio: "none" }));
    }
    for (const [l, t, r, b] of [...(one.box ? [one.box] : []), ...(one.boxes ?? [])]) {
      const place = { x: l, y: t, width: Math.max(r - l, 0), height: Math.max(b - t, 0) };
      parts.push(node("rect", { ...place, class: "under" }), node("rect", { ...place, class: "edge" }));
    }
    if (one.corners) {
      const points = one.corners.map((point) => point.join(",")).join(" ");
      parts.push(node("polygon", { points, class: "under" }), node("polygon", { points, class: "edge" }));
    }
    const box = one.box ?? one.boxes?.[0];
    if (box) {
      const text = node("text", { class: "name", "data-x": box[0], "data-y": box[1] }, one.label);
      this.letter(text);
      parts.push(text);
    }
    group.append(...parts, node("title", {}, one.title));
    return group;
  }

  // A name stands above its box, or within it where there is no room; it keeps its size on the screen.
  letter(text) {
    const pixel = this.pixel ?? 1;
    const [x, y] = [Number(text.dataset.x), Number(text.dataset.y)];
    text.setAttribute("x", x + 3 * pixel);
    text.setAttribute("y", y > 16 * pixel ? y - 4 * pixel : y + 14 * pixel);
  }

  // Show where the objects of one class are; all of them where none is named.
  point(run, label) {
    this.svg.classList.toggle("pointing", Boolean(run));
    for (const group of this.svg.children)
      for (const one of group.children) one.classList.toggle("pointed", group.dataset.run === run && one.dataset.label === label);
  }
}
