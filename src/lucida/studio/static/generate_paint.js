// What is painted on opens over the page: a mask on an image, or white lines on an empty sheet.
import { Brushes } from "/static/brushes.js";
import { h } from "/static/dom.js";
import { PaintStage } from "/static/paint_stage.js";
import { say } from "/static/words.js";

const CHALK = { colour: [255, 255, 255], strength: 1 };

// Run lengths of the mask, null where it was cleared; undefined where the person thought better of it.
export function paintMask(image, mask) {
  return new Painter({ title: say("generate.mask_title"), how: say("generate.mask_how"), brush: say("generate.mask_brush"), address: `/api/generate/given/${image.token}` }).open(image, mask);
}

// Run lengths of the lines on a sheet of a size.
export function paintDrawing(size, lines) {
  return new Painter({ title: say("generate.sketch_title"), how: say("generate.sketch_how"), brush: say("generate.sketch_brush"), text: say("generate.pen"), ink: CHALK }).open(size, lines);
}

class Painter {
  constructor({ title, how, brush, text, address, ink }) {
    this.stage = new PaintStage(() => this.brushes?.refresh(), ink);
    this.brushes = new Brushes(this.stage, { brush, text, eraser: say("paint.eraser"), wipe: say("restore.wipe"), ready: say("restore.painted") }, () => this.brushes.refresh(), () => this.close(true));
    this.stage.element.classList.toggle("sheet-alone", !address);
    if (address) this.stage.picture.src = address;
    else this.stage.picture.remove();
    const leave = h("button", { type: "button", class: "plain", onclick: () => this.close(false) }, say("review.cancel"));
    this.dialog = h("dialog", { class: "painter", "aria-label": title }, h("div", { class: "painter-head" }, h("h2", {}, title), h("p", { class: "soft" }, how), leave), this.brushes.bar, this.stage.element);
    this.dialog.addEventListener("keydown", (event) => this.key(event));
    this.dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      if (!this.stage.paint.cancel()) this.close(true);
    });
  }

  open(size, mask) {
    document.body.append(this.dialog);
    this.dialog.showModal();
    this.stage.lay(size, mask);
    this.brushes.use("brush");
    this.stage.element.focus();
    return new Promise((resolve) => (this.resolve = resolve));
  }

  close(keep) {
    this.stage.paint.close();
    this.dialog.remove();
    this.resolve(keep ? this.stage.mask : undefined);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.key === "Escape") return;
    const on = event.target.tagName === "BUTTON" && event.key === "Enter";
    const run = on ? null : this.brushes.keys[event.key.toLowerCase()];
    if (!run || run() === false) return;
    event.preventDefault();
    event.stopPropagation();
  }
}
