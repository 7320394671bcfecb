// Masks over an image: painted and erased with a brush, or drawn as polygons; what is not a mask is as in `Overlay`.
//
// The pixels of the chosen object lie on a canvas of the image's size; those of all others are pictures in the SVG.
import { h } from "/static/dom.js";
import { holds, pack, runsOf } from "/static/masks.js";
import { node, Overlay, WARM } from "/static/overlay.js";
import { Pixels } from "/static/pixels.js";

export const TOOLS = ["brush", "eraser", "polygon", "box"];
const MOST = 40e6; // pixels of an image that a browser paints on without trouble
const SIZES = [2, 160]; // radius of the brush in pixels of the screen
const STEP = 1.25;
const NEAR = 10; // pixels of the screen around the first point of a polygon that close it
const STRENGTH = 0.45;

export class PaintOverlay extends Overlay {
  // ink: { colour, strength } of what is painted.
  constructor(changed, ink = { colour: WARM, strength: STRENGTH }) {
    super(changed);
    this.ink = ink;
    this.exact = true; // what is under the pointer is asked of the pixels
    this.canvas = h("canvas", { class: "paint" });
    this.radius = 12;
    this.tool = "brush";
    this.svg.addEventListener("dblclick", () => this.close());
    this.svg.addEventListener("pointerleave", () => this.point(null));
    this.svg.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  clear() {
    super.clear();
    Object.assign(this, { points: [], pointer: null, painted: null, pixels: null });
  }

  show(what) {
    Object.assign(this, { points: [], pointer: null, painted: null, pixels: null });
    this.paintable = what.width * what.height <= MOST;
    if (this.canvas) Object.assign(this.canvas, this.paintable ? { width: what.width, height: what.height } : { width: 1, height: 1 });
    this.use(what.many ? "polygon" : "brush", what.many);
    super.show(what);
  }

  // ---- tools --------------------------------------------------------------------------------------------------------

  tools(many = this.many) {
    if (!this.paintable) return ["box"];
    return many ? TOOLS : TOOLS.slice(0, 3);
  }

  use(tool, many = this.many) {
    if (!this.tools(many).includes(tool)) tool = this.tools(many)[0];
    this.tool = tool;
    this.points = [];
    this.svg.dataset.tool = tool;
    this.draw();
  }

  get brushes() {
    return this.tool === "brush" || this.tool === "eraser";
  }

  resize(steps) {
    this.radius = Math.max(SIZES[0], Math.min(SIZES[1], this.radius * STEP ** steps));
    this.draw();
  }

  wheel(event) {
    if (!this.brushes || event.ctrlKey || !this.width) return;
    event.preventDefault();
    this.resize(event.deltaY < 0 ? 1 : -1);
  }

  // ---- the pointer ----------------------------------------------------------------------------------------------------

  down(event) {
    if (this.tool === "box") return super.down(event);
    if (!this.enabled || event.button !== 0 || !this.width) return;
    event.preventDefault();
    const at = this.at(event);
    if (this.tool === "polygon") return this.corner(at, event.shiftKey);
    this.svg.setPointerCapture(event.pointerId);
    this.drag = { at, value: this.tool === "brush" && !event.shiftKey ? 1 : 0, moved: false };
    this.stroke(at);
  }

  move(event) {
    if (this.tool === "box") return super.move(event);
    const at = this.at(event);
    if (this.drag) {
      for (const one of event.getCoalescedEvents?.() ?? []) this.stroke(this.at(one));
      this.stroke(at);
    }
    this.point(at);
  }

  up() {
    if (this.tool === "box") return super.up();
    const { drag } = this;
    this.drag = null;
    if (drag?.moved) this.settle();
  }

  point(at) {
    this.pointer = at;
    if (this.brushes || this.points.length) this.drawMarks();
  }

  // ---- painting -------------------------------------------------------------------------------------------------------

  stroke(at) {
    const { drag } = this;
    const radius = Math.max(this.radius * this.pixel, 0.5);
    if (!drag.moved && !this.aim(at, drag.value, radius)) return;
    const part = this.pixels.line(drag.at, at, radius, drag.value);
    Object.assign(drag, { at, moved: true });
    this.paint(part);
  }

  // Bring a part of the pixels onto the canvas.
  paint(part) {
    this.pixels.draw(this.canvas.getContext("2d"), part, this.ink.colour, this.ink.strength);
  }

  // Choose what a stroke is about: the one that it begins in, or the chosen one; a brush beside all begins a new one.
  aim(at, value, radius) {
    if (this.many && value) {
      const near = this.boxes.findIndex((one) => !one.gone && one.mask && touches(one.mask, at, radius));
      this.remember();
      if (near >= 0) this.selected = near;
      else this.begun();
    } else {
      if (!this.boxes[this.selected] || this.boxes[this.selected].gone) return false;
      this.remember();
    }
    this.lay(this.boxes[this.selected]);
    this.load();
    this.draw();
    return true;
  }

  begun() {
    this.lay();
    this.boxes.push({ label: this.fresh(), box: [0, 0, 0, 0] });
    this.selected = this.boxes.length - 1;
  }

  // What was painted becomes the mask of the chosen one.
  settle() {
    const one = this.boxes[this.selected];
    const { box, mask } = this.pixels;
    if (one.mask && mask.counts === pack(runsOf(one.mask))) return void super.recall(); // nothing was changed
    if (!box && this.many) {
      // Nothing is left of it: an object of the person's own is gone, one that stands is struck.
      if (one.stood) Object.assign(one, { ...one.stood, stood: one.stood, gone: true });
      else this.boxes.splice(this.selected, 1);
      this.selected = one.stood ? this.selected : this.boxes.length - 1;
      this.pixels = null;
    } else {
      Object.assign(one, { box: box ?? one.box, mask, dirty: true, empty: !box });
      this.painted = one.mask;
    }
    this.draw();
    this.changed();
  }

  // Clear all of the mask, to draw it anew.
  wipe() {
    if (this.many || !this.paintable || !this.boxes[0]?.mask || this.boxes[0].empty) return;
    this.remember();
    this.load();
    this.pixels.bits.fill(0);
    this.settle();
    this.paint([0, 0, this.width, this.height]);
  }

  // ---- polygons -------------------------------------------------------------------------------------------------------

  corner(at, cut) {
    const [first] = this.points;
    const near = first && Math.hypot(at[0] - first[0], at[1] - first[1]) <= NEAR * this.pixel;
    if (near && this.points.length > 2) return void this.close(cut);
    const last = this.points.at(-1);
    if (last && Math.hypot(at[0] - last[0], at[1] - last[1]) < this.pixel) return;
    this.points.push(at);
    this.drawMarks();
    this.changed();
  }

  // Fill the polygon; cut: take it out of the mask instead. False where there is none.
  close(cut = false) {
    const { points } = this;
    if (!points.length) return false;
    this.points = [];
    if (points.length > 2) {
      this.remember();
      if (this.many && !cut) this.begun();
      if (this.boxes[this.selected]) {
        this.load();
        this.paint(this.pixels.polygon(points, cut ? 0 : 1));
        this.settle();
      }
    }
    this.draw();
    this.changed();
    return true;
  }

  // Give the polygon up; false where there is none.
  cancel() {
    if (!this.points.length) return false;
    this.points = [];
    this.drawMarks();
    this.changed();
    return true;
  }

  // ---- taking back ----------------------------------------------------------------------------------------------------

  recall() {
    if (this.points.length) {
      this.points.pop();
      this.drawMarks();
      this.changed();
      return true;
    }
    return super.recall();
  }

  // ---- drawing --------------------------------------------------------------------------------------------------------

  // Bring the pixels of the chosen one onto the canvas, where they are not there yet.
  load() {
    const mask = this.boxes[this.selected]?.mask ?? null;
    if (this.pixels && this.painted === mask) return;
    this.pixels = new Pixels(this.width, this.height, mask);
    this.painted = mask;
    const pen = this.canvas.getContext("2d");
    pen.clearRect(0, 0, this.width, this.height);
    const { box } = this.pixels;
    if (box) this.paint(box);
  }

  // While the canvas shows the chosen one, its picture does not.
  get onCanvas() {
    const one = this.boxes[this.selected];
    return this.paintable && one && !one.gone && this.tool !== "box";
  }

  opacity(i) {
    return i === this.selected && this.onCanvas ? 0 : super.opacity(i);
  }

  draw() {
    if (!this.width || !this.canvas) return;
    this.canvas.hidden = !this.onCanvas;
    if (this.onCanvas && !this.drag) this.load();
    super.draw();
    this.marks = node("g", { class: "marks" });
    this.svg.append(this.marks);
    this.drawMarks();
  }

  grips(box, pixel) {
    return this.tool === "box" ? super.grips(box, pixel) : [];
  }

  // The brush under the pointer, and the polygon so far.
  drawMarks() {
    const { points, pointer, pixel } = this;
    const parts = [];
    if (points.length) {
      const line = [...points, ...(pointer ? [pointer] : [])].map((point) => point.join(",")).join(" ");
      parts.push(node("polygon", { points: line, class: "polygon under" }), node("polygon", { points: line, class: "polygon" }));
      points.forEach(([x, y], i) => parts.push(node("circle", { cx: x, cy: y, r: (i ? 4 : 6) * pixel, class: "corner" })));
    } else if (pointer && this.brushes) {
      const [cx, cy] = pointer;
      const r = Math.max(this.radius * pixel, 0.5);
      parts.push(node("circle", { cx, cy, r, class: "brush under" }), node("circle", { cx, cy, r, class: `brush ${this.tool}` }));
    }
    this.marks?.replaceChildren(...parts);
  }
}

// Whether a brush that is put down at a place touches a mask.
function touches(mask, [x, y], radius) {
  const [height, width] = mask.size;
  const ring = [...Array(8).keys()].map((i) => [x + radius * Math.cos((i * Math.PI) / 4), y + radius * Math.sin((i * Math.PI) / 4)]);
  return [[x, y], ...ring].some(([a, b]) => a >= 0 && b >= 0 && a < width && b < height && holds(mask, a, b));
}
