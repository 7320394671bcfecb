// Boxes over an image: some only shown, some drawn and changed with the mouse or a finger.
//
// The SVG has the image's own pixels as its units and fits its frame as the image does, so that nothing is converted
// but the pointer. What is shown is of three kinds: others (stand, thin), hints (dashed, may be taken) and the editable.
// One of the others that has a number may be picked: then it is editable, and goes back where nothing was changed.
import { holds, maskPicture } from "/static/masks.js";

const SVG = "http://www.w3.org/2000/svg";
const LEAST = 4; // pixels of the screen: a shorter drag is a click
const GRIP = 9; // pixels of the screen around a corner that take hold of it
const PAST = 200; // changes that can be taken back
export const WARM = [255, 176, 32];
const COOL = [64, 200, 224];
const RED = [255, 84, 84];

export function node(name, attributes = {}, text = "") {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text) element.textContent = text;
  return element;
}

const ordered = ([a, b, c, d]) => [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)];
const inside = ([l, t, r, b], x, y) => x >= l && x <= r && y >= t && y <= b;
const area = ([l, t, r, b]) => (r - l) * (b - t);
const smallest = (list) => [...list].sort((a, b) => area(a.box) - area(b.box))[0];

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
    Object.assign(this, { width: 0, height: 0, others: [], hints: [], boxes: [], selected: -1, drag: null, past: [] });
    this.svg.replaceChildren();
  }

  // boxes: [{ label, box, mask }] that may be changed; many: whether more may be drawn, each of class fresh().
  show({ width, height, others, hints, boxes, many, fresh }) {
    Object.assign(this, { width, height, others: [...others], hints: [...hints], boxes, many, fresh, drag: null, past: [] });
    this.selected = boxes.length - 1;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.draw();
  }

  // ---- taking back --------------------------------------------------------------------------------------------------

  remember() {
    const boxes = this.boxes.map((one) => ({ ...one }));
    this.past.push({ boxes, others: [...this.others], hints: [...this.hints], selected: this.selected });
    if (this.past.length > PAST) this.past.shift();
  }

  // Take the last change back; false where nothing was changed.
  recall() {
    const before = this.drag ? null : this.past.pop();
    if (!before) return false;
    Object.assign(this, before);
    this.draw();
    this.changed();
    return true;
  }

  // ---- what a person has said -----------------------------------------------------------------------------------------

  // New objects, and those that stand and are wrong.
  get added() {
    return this.boxes.filter((one) => one.item === undefined);
  }

  get wrong() {
    return this.boxes.filter((one) => one.item !== undefined && (one.gone || one.dirty));
  }

  // ---- the pointer ----------------------------------------------------------------------------------------------------

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
    const order = [this.selected, ...this.boxes.map((_, i) => this.boxes.length - 1 - i)];
    const places = order.filter((i) => i >= 0 && !this.boxes[i].gone);
    for (const i of places) {
      const { box } = this.boxes[i];
      const across = [0, 2].find((side) => Math.abs(box[side] - x) <= grip);
      const down = [1, 3].find((side) => Math.abs(box[side] - y) <= grip);
      const near = inside([box[0] - grip, box[1] - grip, box[2] + grip, box[3] + grip], x, y);
      if (near && across !== undefined && down !== undefined) return this.hold(event, { i, sides: [across, down], x, y });
    }
    const held = smallest(places.filter((i) => inside(this.boxes[i].box, x, y)).map((i) => ({ i, box: this.boxes[i].box })));
    if (held) return this.hold(event, { i: held.i, sides: null, x, y, from: held.box });
    this.hold(event, { i: -1, x, y, pick: this.under(x, y) });
  }

  // What lies at a place and may be picked: a hint, one of the others that has a number, or one that was struck.
  under(x, y) {
    const there = ({ box, mask }) => inside(box, x, y) && (!mask || !this.exact || holds(mask, x, y));
    if (!this.many) return undefined;
    const gone = this.boxes.filter((one) => one.gone);
    return smallest([...this.hints, ...this.others.filter((one) => one.item !== undefined), ...gone].filter(there));
  }

  hold(event, drag) {
    this.svg.setPointerCapture(event.pointerId);
    this.drag = { ...drag, moved: false };
    if (drag.i >= 0 && drag.i !== this.selected) this.select(drag.i);
  }

  move(event) {
    const { drag } = this;
    if (!drag) return;
    const [x, y] = this.at(event);
    if (!drag.moved && Math.hypot(x - drag.x, y - drag.y) < LEAST * this.pixel) return;
    if (!drag.moved) this.remember();
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
    if (this.many) this.lay();
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
      if (one.box[2] - one.box[0] < 1 || one.box[3] - one.box[1] < 1) return void this.recall();
    } else if (drag.i < 0 && this.many) {
      this.pick(drag.pick);
    }
    this.draw();
    this.changed();
  }

  // Take a hint, or take hold of an object that stands; a click beside all of them lays it back.
  pick(one) {
    const struck = this.boxes.indexOf(one);
    if (struck >= 0) return void (this.selected = struck);
    if (one) this.remember();
    this.lay();
    if (!one) return;
    if (this.hints.includes(one)) {
      this.hints = this.hints.filter((hint) => hint !== one);
      this.boxes.push({ ...one, hint: one });
    } else {
      this.others = this.others.filter((other) => other !== one);
      this.boxes.push({ ...one, stood: one });
    }
    this.selected = this.boxes.length - 1;
  }

  // Lay back what was picked and not changed.
  lay(keep) {
    const back = this.boxes.filter((one) => one.stood && !one.gone && !one.dirty && one !== keep);
    if (!back.length) return;
    this.others.push(...back.map((one) => one.stood));
    this.boxes = this.boxes.filter((one) => !back.includes(one));
    this.selected = keep ? this.boxes.indexOf(keep) : this.boxes.length - 1;
  }

  select(i) {
    const one = this.boxes[i];
    this.lay(one);
    this.selected = this.boxes.indexOf(one);
    if (this.drag) this.drag.i = this.selected;
    this.draw();
    this.changed();
  }

  // ---- changes --------------------------------------------------------------------------------------------------------

  // Take a box away; one that was a hint is a hint again, one that stands is struck, or stands again.
  drop(i = this.selected) {
    const one = this.boxes[i];
    if (!this.many || !one) return false;
    this.remember();
    if (one.stood) {
      one.gone = !one.gone;
    } else {
      this.boxes.splice(i, 1);
      if (one.hint) this.hints.push(one.hint);
      this.selected = this.boxes.length - 1;
    }
    this.draw();
    this.changed();
    return true;
  }

  // Give the chosen one another class.
  name(i, label) {
    const one = this.boxes[i];
    if (!one || one.label === label) return;
    this.remember();
    one.label = label;
    if (one.stood) Object.assign(one, { dirty: true, gone: false });
    this.draw();
  }

  // ---- drawing --------------------------------------------------------------------------------------------------------

  draw() {
    if (!this.width) return;
    const pixel = this.pixel;
    const parts = [];
    for (const one of this.others) parts.push(...this.shape(one, "stands", COOL, 0.22, pixel));
    for (const one of this.hints) parts.push(...this.shape(one, "hint", COOL, 0, pixel));
    this.boxes.forEach((one, i) => {
      const chosen = i === this.selected;
      const kind = `${chosen ? "chosen" : "own"}${one.gone ? " gone" : ""}`;
      parts.push(...this.shape(one, kind, one.gone ? RED : WARM, this.opacity(i), pixel));
      if (chosen && !one.gone) parts.push(...this.grips(ordered(one.box), pixel));
    });
    this.svg.replaceChildren(...parts);
  }

  opacity(i) {
    return this.boxes[i].gone ? 0.2 : i === this.selected ? 0.45 : 0.3;
  }

  shape({ label, box, mask }, kind, colour, opacity, pixel) {
    const [l, t, r, b] = ordered(box);
    if (r <= l && b <= t) return []; // just begun
    const place = { x: l, y: t, width: Math.max(r - l, 0), height: Math.max(b - t, 0) };
    const parts = [node("rect", { ...place, class: `under ${kind}` }), node("rect", { ...place, class: `box ${kind}` })];
    if (mask && opacity) {
      const href = maskPicture(mask, colour, opacity);
      parts.unshift(node("image", { href, x: 0, y: 0, width: mask.size[1], height: mask.size[0], class: kind }));
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
