// What is to be removed is painted over.
import { Brushes } from "/static/brushes.js";
import { h } from "/static/dom.js";
import { say } from "/static/words.js";

export class Filling {
  constructor(stage, changed) {
    this.stage = stage;
    this.changed = changed;
    const names = { brush: say("restore.brush"), eraser: say("restore.eraser"), wipe: say("restore.wipe"), ready: say("restore.painted") };
    this.brushes = new Brushes(stage, names, changed, () => this.close());
    this.bar = this.brushes.bar;
    this.toggle = h("button", { type: "button", class: "plain fill", "aria-keyshortcuts": "M", onclick: () => this.switch() }, say("restore.fill"));
    this.state = h("p", { class: "soft" });
    this.element = h("section", { class: "filling" }, h("p", { class: "legend" }, say("restore.remove")), this.toggle, this.state);
  }

  switch() {
    if (this.toggle.disabled) return;
    if (this.stage.painting) this.close();
    else this.brushes.use("brush");
  }

  close() {
    if (!this.stage.painting) return false;
    this.stage.paint.close();
    this.brushes.use(false);
  }

  refresh(on, able) {
    const { painting, mask } = this.stage;
    this.toggle.disabled = !on || !able;
    this.toggle.setAttribute("aria-pressed", String(Boolean(painting)));
    this.brushes.refresh();
    this.state.textContent = !able ? say("restore.no_fill") : painting ? say("restore.how") : mask ? say("restore.marked") : "";
  }

  get keys() {
    return this.stage.painting ? this.brushes.keys : { m: () => this.switch() };
  }
}
