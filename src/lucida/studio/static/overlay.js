// Boxes over an image: some only shown, some drawn and changed with the mouse or a finger.
//
// The SVG has the image's own pixels as its units and fits its frame as the image does, so that nothing is converted
// but the pointer. What is shown is of three kinds: others (stand, thin), hints (dashed, may be taken) and the editable.
import { maskPicture } from "/static/masks.js";

const SVG = "http://www.w3.org/2000/svg";
const LEAST = 4; // pixels of the screen: a shorter drag is a click
const GRIP = 9; // pixels of the screen around a corner that take hold of it
const WARM = [255, 176, 32];
const COOL = [64, 200, 224];

function node(name, attributes = {}, text = "") {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text) element.textContent = text;
  return element;
}

const ordered = ([a, b, c, d]) => [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)];
const inside = ([l, t, r, b], x, y) => x >= l && x <= r && y >= t && y <= b;
const area = ([l, t, r, b]) => (r - l) * (b - t);

export class Overlay {
  // changed(): something was drawn, moved, taken or selected.
  constructor(changed) {
    this.changed = changed;
    this.svg = node("svg", { class: "overlay" });
    this.many = false; // whether more than one may be drawn
    this.enabled = true;
    this.clear();
    this.svg.addEventListener("pointerdown", (event) => this.down(event));
    this.svg.addEventListener("pointermove", (event) => this.move(event));
    this.svg.addEventListener("pointerup", () => this.up());
    this.svg.addEventListener("pointercancel", () => this.up());
    new ResizeObserver(() => this.draw()).observe(this.svg);
  }

  clear() {
    Object.assign(this, { width: 0, height: 0, others: [], hints: [], boxes: [], selected: -1, drag: null });
    this.svg.replaceChildren();
  }

  // boxes: [{ label, box, mask }] that may be changed; many: whether more may be drawn, each of class fresh().
  show({ width, height, others, hints, boxes, many, fresh }) {
    Object.assign(this, { width, height, others, hints: [...hints], boxes, many, fresh, drag: null });
    this.selected = boxes.length - 1;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.draw();
  }

  // Pixels of the image in one pixel of the screen.
  get pixel() {
    const { width, height } = this.svg.getBoundingClientRect();
    return 1 / Math.max(Math.min(width / this.width, height / this.height), 1e-6);
  }

  at(event) {
    const frame = this.svg.getBoundingClientRect();
    const pixel = this.pixel;
    const x = (event.clientX - frame.left - frame.width / 2) * pixel + this.width / 2;
    const y = (event.clientY - frame.top - frame.height / 2) * pixel + this.height / 2;
    return [Math.max(0, Math.min(x, this.width)), Math.max(0, Math.min(y, this.height))];
  }

  down(event) {
    if (!this.enabled || event.button !== 0 || !this.width) return;
    event.preventDefault();
    const [x, y] = this.at(event);
    const grip = GRIP * this.pixel;
    // The selected one first, then what lies on top.
    const places = [this.selected, ...this.boxes.map((_, i) => this.boxes.length - 1 - i)].filter((i) => i >= 0);
    for (const i of places) {
      const { box } = this.boxes[i];
      const across = [0, 2].find((side) => Math.abs(box[side] - x) <= grip);
      const down = [1, 3].find((side) => Math.abs(box[side] - y) <= grip);
      const near = inside([box[0] - grip, box[1] - grip, box[2] + grip, box[3] + grip], x, y);
      if (near && across !== undefined && down !== undefined) return this.hold(event, { i, sides: [across, down], x, y });
    }
    const held = places.filter((i) => inside(this.boxes[i].box, x, y)).sort((a, b) => area(this.boxes[a].box) - area(this.boxes[b].box))[0];
    const hint = this.hints.filter(({ box }) => inside(box, x, y)).sort((a, b) => area(a.box) - area(b.box))[0];
    if (held !== undefined) return this.hold(event, { i: held, sides: null, x, y, from: this.boxes[held].box });
    this.hold(event, { i: -1, x, y, hint });
  }

  hold(event, drag) {
    this.svg.setPointerCapture(event.pointerId);
    this.drag = { ...drag, moved: false, before: { ...this.boxes[Math.max(drag.i, 0)] } };
    if (drag.i >= 0 && drag.i !== this.selected) this.select(drag.i);
  }

  move(event) {
    const { drag } = this;
    if (!drag) return;
    const [x, y] = this.at(event);
    if (!drag.moved && Math.hypot(x - drag.x, y - drag.y) < LEAST * this.pixel) return;
    if (!drag.moved && drag.i < 0) this.begin(drag);
    drag.moved = true;
    const one = this.boxes[drag.i];
    if (drag.sides) {
      const box = [...one.box];
      box[drag.sides[0]] = x;
      box[drag.sides[1]] = y;
      one.box = box;
    } else {
      const [l, t, r, b] = drag.from;
      const dx = Math.max(-l, Math.min(x - drag.x, this.width - r));
      const dy = Math.max(-t, Math.min(y - drag.y, this.height - b));
      one.box = [l + dx, t + dy, r + dx, b + dy];
    }
    delete one.mask; // the pixels are of the box as it was
    one.dirty = true;
    this.draw();
  }

  // A new box begins where the pointer went down; where only one may be drawn, it replaces that one.
  begin(drag) {
    const one = { label: this.many ? this.fresh() : this.boxes[0].label, box: [drag.x, drag.y, drag.x, drag.y] };
    if (this.many) this.boxes.push(one);
    else this.boxes[0] = { ...this.boxes[0], ...one };
    drag.i = this.selected = this.boxes.length - 1;
    drag.sides = [2, 3];
  }

  up() {
    const { drag } = this;
    this.drag = null;
    if (!drag) return;
    if (drag.moved) {
      const one = this.boxes[drag.i];
      one.box = ordered(one.box).map((side) => Math.round(side * 100) / 100);
      const thin = one.box[2] - one.box[0] < 1 || one.box[3] - one.box[1] < 1;
      if (thin && !this.drop(drag.i)) this.boxes[drag.i] = drag.before;
    } else if (drag.i < 0 && drag.hint && this.many) {
      this.hints = this.hints.filter((hint) => hint !== drag.hint);
      this.boxes.push({ ...drag.hint, hint: drag.hint });
      this.selected = this.boxes.length - 1;
    }
    this.draw();
    this.changed();
  }

  select(i) {
    this.selected = i;
    this.draw();
    this.changed();
  }

  // Take a box away; one that was a hint is a hint again.
  drop(i = this.selected) {
    if (!this.many || !this.boxes[i]) return false;
    const [gone] = this.boxes.splice(i, 1);
    if (gone.hint) this.hints.push(gone.hint);
    this.selected = this.boxes.length - 1;
    this.draw();
    this.changed();
    return true;
  }

  draw() {
    if (!this.width) return;
    const pixel = this.pixel;
    const parts = [];
    for (const one of this.others) parts.push(...this.shape(one, "stands", COOL, 0.22, pixel));
    for (const one of this.hints) parts.push(...this.shape(one, "hint", COOL, 0, pixel));
    this.boxes.forEach((one, i) => {
      const chosen = i === this.selected;
      parts.push(...this.shape(one, chosen ? "chosen" : "own", WARM, chosen ? 0.45 : 0.3, pixel));
      if (chosen) parts.push(...this.grips(ordered(one.box), pixel));
    });
    this.svg.replaceChildren(...parts);
  }

  shape({ label, box, mask }, kind, colour, opacity, pixel) {
    const [l, t, r, b] = ordered(box);
    const place = { x: l, y: t, width: Math.max(r - l, 0), height: Math.max(b - t, 0) };
    const parts = [node("rect", { ...place, class: `under ${kind}` }), node("rect", { ...place, class: `box ${kind}` })];
    if (mask && opacity) {
      const href = maskPicture(mask, colour, opacity);
      parts.unshift(node("image", { href, x: 0, y: 0, width: mask.size[1], height: mask.size[0] }));
    }
    const size = 13 * pixel;
    const above = t > 1.3 * size;
    const text = { x: l + 3 * pixel, y: above ? t - 4 * pixel : t + 1.1 * size, "font-size": size, class: `name ${kind}` };
    parts.push(node("text", { ...text, "stroke-width": 3 * pixel }, label));
    return parts;
  }

  grips([l, t, r, b], pixel) {
    const side = 9 * pixel;
    return [[l, t], [r, t], [l, b], [r, b]].map(([x, y]) =>
      node("rect", { x: x - side / 2, y: y - side / 2, width: side, height: side, class: "grip" }),
    );
  }
}
