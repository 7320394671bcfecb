// A place for one image that a picture is drawn from.
import { h } from "/static/dom.js";
import { say } from "/static/words.js";

export class Slot {
  // role: its name in a request; ways: { file(slot): choose one, changed() }.
  constructor(role, title, hint, ways) {
    Object.assign(this, { role, ways, image: null, coming: false });
    const button = (text, onclick) => h("button", { type: "button", class: "plain", onclick }, text);
    this.pick = button(say("generate.choose"), () => ways.file(this));
    this.leave = button(say("generate.remove"), () => this.remove());
    this.tools = h("div", { class: "slot-tools" }, this.pick, this.leave);
    this.picture = h("img", { alt: "", hidden: true });
    this.told = h("p", { class: "soft" });
    this.hint = h("p", { class: "soft" }, hint);
    this.extra = h("div", { class: "extra" });
    this.element = h("fieldset", { class: "slot", "data-role": role }, h("legend", { class: "legend" }, title), this.picture, this.hint, this.extra, this.tools, this.told);
  }

  wait() {
    this.coming = true;
    this.element.dataset.state = "coming";
  }

  // An image has come, or none.
  async take(image) {
    this.coming = false;
    if (image) this.put(image);
    this.refresh();
  }

  put(image) {
    this.image = image;
    this.refresh();
  }

  remove() {
    this.put(null);
    this.ways.changed();
  }

  refresh() {
    const { image } = this;
    const address = image ? `/api/generate/given/${image.token}` : "";
    if (image && this.picture.getAttribute("src") !== address) {
      this.picture.src = address;
      this.picture.alt = image.name;
    }
    this.picture.hidden = !image;
    this.picture.classList.toggle("coarse", Boolean(image) && Math.max(image.width, image.height) < 128);
    this.hint.hidden = Boolean(image);
    this.leave.hidden = !image;
    this.element.dataset.state = this.coming ? "coming" : image ? "filled" : "empty";
    this.element.dataset.image = image?.token ?? "";
  }
}
