// The image whose lines or depth a picture follows: made of a photo and shown before it is used, drawn, or ready.
import { choice } from "/static/choice.js";
import { h } from "/static/dom.js";
import { paintDrawing } from "/static/generate_paint.js";
import { Slot } from "/static/generate_slot.js";
import { post } from "/static/search.js";
import { say, told } from "/static/words.js";

const DRAWN = ["scribble", "canny"]; // kinds that a person can draw, the better one first
const NAMES = { canny: () => say("generate.canny"), scribble: () => say("generate.scribble"), depth: () => say("generate.depth") };

export class ControlSlot extends Slot {
  constructor(title, hint, ways, failed) {
    super("control_image", title, hint, ways);
    Object.assign(this, { failed, kinds: [], photo: null, lines: null, fixed: "" });
    this.draw = h("button", { type: "button", class: "plain", onclick: () => this.sketch() }, say("generate.sketch"));
    this.pick.after(this.draw);
    this.ready = h("input", { type: "checkbox", onchange: () => this.make() });
    this.asis = h("label", { class: "tick" }, this.ready, say("generate.as_is"));
  }

  // What kinds the model follows, and the size of a sheet to draw on.
  offer(kinds, sheet) {
    this.sheet = sheet;
    if (kinds.join() === this.kinds.join()) return;
    this.kinds = kinds;
    if (!kinds.length) return;
    const kept = this.kind;
    this.row = choice(say("generate.control"), kinds.map((kind) => [kind, NAMES[kind]?.() ?? kind]), () => this.make());
    this.row.value = kinds.includes(kept) ? kept : kinds[0];
    this.extra.replaceChildren(this.row.element, this.asis);
  }

  get kind() {
    return this.row?.value ?? "";
  }

  // A photo has come: its lines are taken from it.
  async take(photo) {
    this.coming = false;
    if (!photo) return this.refresh();
    Object.assign(this, { photo, lines: null });
    this.ready.checked = false;
    await this.make();
  }

  // A control image that is ready.
  put(image, kind = "") {
    Object.assign(this, { photo: null, lines: null });
    if (kind && this.kinds.includes(kind)) this.row.value = kind;
    super.put(image);
    this.told.textContent = "";
  }

  async make() {
    const { photo } = this;
    if (!photo) return this.ways.changed();
    if (this.ready.checked) {
      this.image = photo;
      this.told.textContent = "";
      this.refresh();
      return this.ways.changed();
    }
    this.wait();
    this.ways.changed();
    const { kind } = this;
    const found = await post("/api/generate/control", { source: photo.token, control: kind });
    if (this.photo !== photo || this.kind !== kind) return;
    this.coming = false;
    this.image = found.error ? null : found;
    this.failed(found.error ?? null);
    this.told.textContent = found.how ? told(found.how) : "";
    this.refresh();
    this.ways.changed();
  }

  async sketch() {
    const drawn = await paintDrawing(this.lines?.size ? { width: this.lines.size[1], height: this.lines.size[0] } : this.sheetSize, this.lines);
    if (!drawn) return;
    this.wait();
    this.ways.changed();
    const found = await post("/api/generate/drawing", drawn);
    this.coming = false;
    if (found.error) this.failed(found.error);
    else {
      this.failed(null);
      this.put(found, DRAWN.includes(this.kind) ? this.kind : DRAWN.find((kind) => this.kinds.includes(kind)));
      this.lines = drawn;
    }
    this.refresh();
    this.ways.changed();
  }

  // A small model's sheet is drawn on in more detail than its pictures have.
  get sheetSize() {
    const [width, height] = this.sheet;
    const more = Math.max(1, Math.ceil(512 / Math.max(width, height)));
    return { width: width * more, height: height * more };
  }

  remove() {
    Object.assign(this, { photo: null, lines: null });
    this.told.textContent = "";
    super.remove();
  }

  refresh() {
    super.refresh();
    this.extra.hidden = !this.image && !this.photo;
    this.asis.hidden = !this.photo;
    this.draw.hidden = !this.kinds.some((kind) => DRAWN.includes(kind));
    this.draw.textContent = this.lines ? say("generate.sketch_on") : say("generate.sketch");
  }
}
