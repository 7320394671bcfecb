// What is to be removed is painted over, with the brush of the review.
import { h, keyButton } from "/static/dom.js";
import { say } from "/static/words.js";

const TOOLS = { brush: "B", eraser: "E", polygon: "G" };

export class Brushes {
  constructor(stage, changed) {
    this.stage = stage;
    this.changed = changed;
    const { paint } = stage;
    const names = { brush: [say("paint.brush"), say("restore.brush")], eraser: [say("paint.eraser"), say("restore.eraser")], polygon: [say("paint.polygon"), say("paint.polygon_hint")] };
    this.tools = Object.fromEntries(Object.entries(TOOLS).map(([tool, key]) => [tool, keyButton({ text: names[tool][0], name: names[tool][1], key, onclick: () => this.use(tool) })]));
    const sizes = [[say("paint.smaller"), "[", -1], [say("paint.larger"), "]", 1]].map(([name, key, step]) => keyButton({ text: "", name, key, className: "size", onclick: () => paint.resize(step) }));
    const undo = keyButton({ text: say("review.undo"), name: say("restore.key_undo"), key: "Z", onclick: () => this.back() });
    const wipe = keyButton({ text: say("paint.wipe"), name: say("restore.wipe"), key: "Del", shortcut: "Delete", onclick: () => this.wipe() });
    const zooms = [["－", say("look.smaller"), 1 / 1.5], ["＋", say("look.larger"), 1.5]].map(([text, name, by]) => keyButton({ text, name, onclick: () => stage.zoom(by) }));
    const ready = keyButton({ text: say("restore.painted"), name: say("restore.painted"), key: "M", onclick: () => this.close() });
    this.bar = h("div", { class: "tools sized", role: "group", "aria-label": say("paint.tools"), hidden: true }, ...Object.values(this.tools), ...sizes, undo, wipe, ...zooms, ready);
    this.toggle = h("button", { type: "button", class: "plain fill", "aria-keyshortcuts": "M", onclick: () => this.switch() }, say("restore.fill"));
    this.state = h("p", { class: "soft" });
    this.element = h("section", { class: "filling" }, h("p", { class: "legend" }, say("restore.remove")), this.toggle, this.state);
  }

  use(tool) {
    this.stage.use(tool);
    this.changed();
  }

  switch() {
    if (this.toggle.disabled) return;
    if (this.stage.painting) this.close();
    else this.use("brush");
  }

  close() {
    if (!this.stage.painting) return false;
    this.stage.paint.close();
    this.use(false);
  }

  back() {
    this.stage.paint.recall();
    this.changed();
  }

  wipe() {
    this.stage.paint.wipe();
    this.changed();
  }

  refresh(on, able) {
    const { painting, mask, paint } = this.stage;
    this.toggle.disabled = !on || !able;
    this.toggle.setAttribute("aria-pressed", String(Boolean(painting)));
    this.bar.hidden = !painting;
    for (const [tool, button] of Object.entries(this.tools)) button.setAttribute("aria-pressed", String(paint.tool === tool));
    this.state.textContent = !able ? say("restore.no_fill") : painting ? say("restore.how") : mask ? say("restore.marked") : "";
  }

  get keys() {
    const { painting, paint } = this.stage;
    const tools = {
      ...Object.fromEntries(Object.entries(TOOLS).map(([tool, key]) => [key.toLowerCase(), () => this.use(tool)])),
      "[": () => paint.resize(-1),
      "]": () => paint.resize(1),
      z: () => this.back(),
      delete: () => this.wipe(),
      enter: () => paint.close(),
      escape: () => paint.cancel() || this.close(),
    };
    return { m: () => this.switch(), ...(painting ? tools : {}) };
  }
}
