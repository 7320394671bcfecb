// The images that a picture is drawn from: one to begin from, with a mask; one whose lines it follows; one for the style.
import { h } from "/static/dom.js";
import { ControlSlot } from "/static/generate_control.js";
import { paintMask } from "/static/generate_paint.js";
import { Slot } from "/static/generate_slot.js";
import { openedFrom, upload } from "/static/opening.js";
import { post } from "/static/search.js";
import { say } from "/static/words.js";

export class Given {
  // view: { bytes }; changed(): another image; failed(error).
  constructor(view, changed, failed) {
    Object.assign(this, { view, changed, failed, needs: null });
    const ways = { file: (slot) => this.choose(slot), changed: () => this.masked() };
    this.image = new Slot("image", say("generate.from_image"), say("generate.from_image_hint"), ways);
    this.control = new ControlSlot(say("generate.from_control"), say("generate.from_control_hint"), ways, (error) => this.failed(error));
    this.reference = new Slot("reference", say("generate.from_reference"), say("generate.from_reference_hint"), ways);
    this.slots = [this.image, this.control, this.reference];
    this.paint = h("button", { type: "button", class: "plain", onclick: () => this.brush() }, say("generate.mask"));
    this.image.tools.prepend(this.paint);
    this.none = h("p", { class: "soft" }, say("generate.words_alone"));
    this.file = h("input", { type: "file", accept: "image/*,.heic,.heif,.avif,.tif,.tiff", hidden: true, onchange: () => this.take([...this.file.files], this.slot) });
    this.element = h("section", { class: "given", "aria-label": say("generate.given") }, h("p", { class: "legend" }, say("generate.given")), this.none, ...this.slots.map(({ element }) => element), this.file);
    this.mask = null;
    openedFrom(
      (files, where) => this.take(files, this.slots.find(({ element }) => element.contains(where))),
      (on) => this.element.classList.toggle("over", on),
    );
  }

  // What the model can be given, the most usual first.
  get roles() {
    const { image, mask, controls, reference } = this.needs ?? { controls: [] };
    return [(image || mask) && "image", controls.length && "control_image", reference && "reference"].filter(Boolean);
  }

  slotOf(role) {
    return this.slots.find((slot) => slot.role === role);
  }

  // What counts of it, by the names of a request.
  get filled() {
    const there = (role) => this.roles.includes(role) && this.slotOf(role).image;
    return [this.maskable && this.mask && "mask", there("image") && "image", there("control_image") && "control_image", there("reference") && "reference"].filter(Boolean);
  }

  get maskable() {
    return Boolean(this.needs?.mask && this.image.image);
  }

  get busy() {
    return this.slots.some((slot) => slot.coming);
  }

  get value() {
    const token = (role) => (this.roles.includes(role) ? (this.slotOf(role).image?.token ?? "") : "");
    const control_image = token("control_image");
    return { image: token("image"), mask: this.maskable ? this.mask : null, control_image, control: control_image ? this.control.kind : "", reference: token("reference") };
  }

  // needs: what the model can; sheet: width and height of what it draws.
  show(needs, sheet) {
    this.needs = needs;
    this.control.offer(needs.controls, sheet);
    for (const slot of this.slots) {
      slot.element.hidden = !this.roles.includes(slot.role);
      slot.refresh();
    }
    this.none.hidden = this.roles.length > 0;
    this.paint.hidden = !this.maskable;
    this.paint.textContent = this.mask ? say("generate.mask_change") : say("generate.mask");
    this.image.told.textContent = !this.image.image ? "" : this.maskable && this.mask ? say("generate.masked") : this.needs.image ? "" : say("generate.needs_mask");
  }

  // ---- images -------------------------------------------------------------------------------------------------------

  choose(slot) {
    this.slot = slot;
    this.file.click();
  }

  async take(files, slot = this.slotOf(this.roles[0])) {
    this.file.value = "";
    if (!files.length || !slot || slot.element.hidden) return;
    await this.fill(slot, upload("/api/generate/upload", files[0], this.view.bytes));
  }

  // Take an image of the catalog.
  async open(role, image) {
    const slot = this.slotOf(role);
    if (slot) await this.fill(slot, post("/api/generate/open", { image }));
  }

  async fill(slot, coming) {
    slot.wait();
    this.changed();
    const found = await coming;
    if (found.error) this.failed(found.error);
    else this.failed(null);
    await slot.take(found.error ? null : found);
    if (slot === this.image) this.mask = null;
    this.changed();
  }

  // An earlier request's images, as they were used.
  set(slots, control, mask) {
    this.image.put(slots.image ?? null);
    this.reference.put(slots.reference ?? null);
    this.control.put(slots.control_image ?? null, control);
    this.mask = mask;
    this.changed();
  }

  masked() {
    if (!this.image.image) this.mask = null;
    this.changed();
  }

  async brush() {
    const found = await paintMask(this.image.image, this.mask);
    if (found === undefined) return;
    this.mask = found;
    this.changed();
  }
}
