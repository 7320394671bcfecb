// The tools with which a person paints on an image, the brush of the review, in a bar over it.
import { h, keyButton } from "/static/dom.js";
import { say } from "/static/words.js";

const TOOLS = { brush: "B", eraser: "E", polygon: "G" };

export class Brushes {
  // stage: a PaintStage; names: { brush, eraser, wipe, ready } what each is for, { text } another word for the brush; changed(); done(): it is ready.
  constructor(stage, names, changed, done) {
    Object.assign(this, { stage, changed, done });
    const { paint } = stage;
    const texts = { brush: [names.text ?? say("paint.brush"), names.brush], eraser: [say("paint.eraser"), names.eraser], polygon: [say("paint.polygon"), say("paint.polygon_hint")] };
    this.tools = Object.fromEntries(Object.entries(TOOLS).map(([tool, key]) => [tool, keyButton({ text: texts[tool][0], name: texts[tool][1], key, onclick: () => this.use(tool) })]));
    const sizes = [[say("paint.smaller"), "[", -1], [say("paint.larger"), "]", 1]].map(([name, key, step]) => keyButton({ text: "", name, key, className: "size", onclick: () => paint.resize(step) }));
    const undo = keyButton({ text: say("review.undo"), name: say("paint.key_undo"), key: "Z", onclick: () => this.back() });
    const wipe = keyButton({ text: say("paint.wipe"), name: names.wipe, key: "Del", shortcut: "Delete", onclick: () => this.wipe() });
    const zooms = [["－", say("look.smaller"), 1 / 1.5], ["＋", say("look.larger"), 1.5]].map(([text, name, by]) => keyButton({ text, name, onclick: () => stage.zoom(by) }));
    const ready = keyButton({ text: names.ready, name: names.ready, key: "M", onclick: () => this.done() });
    this.bar = h("div", { class: "tools sized", role: "group", "aria-label": say("paint.tools"), hidden: true }, ...Object.values(this.tools), ...sizes, undo, wipe, ...zooms, ready);
    // The image below must not take hold of the pointer: the click would be its own.
    for (const name of ["pointerdown", "dblclick"]) this.bar.addEventListener(name, (event) => event.stopPropagation());
  }

  use(tool) {
    this.stage.use(tool);
    this.changed();
  }

  back() {
    this.stage.paint.recall();
    this.changed();
  }

  wipe() {
    this.stage.paint.wipe();
    this.changed();
  }

  refresh() {
    const { painting, paint } = this.stage;
    this.bar.hidden = !painting;
    for (const [tool, button] of Object.entries(this.tools)) button.setAttribute("aria-pressed", String(paint.tool === tool));
  }

  // What keys do while one paints.
  get keys() {
    const { paint } = this.stage;
    return {
      ...Object.fromEntries(Object.entries(TOOLS).map(([tool, key]) => [key.toLowerCase(), () => this.use(tool)])),
      "[": () => paint.resize(-1),
      "]": () => paint.resize(1),
      z: () => this.back(),
      delete: () => this.wipe(),
      enter: () => paint.close(),
      escape: () => paint.cancel() || this.done(),
      m: () => this.done(),
    };
  }
}
