// Before and after on one sheet, with a divider between them; zoomed and moved together, and painted on.
import { h } from "/static/dom.js";
import { PaintStage } from "/static/paint_stage.js";
import { Side } from "/static/restore_side.js";
import { percent, say } from "/static/words.js";

const NEAR = 28; // pixels of the screen around the divider that take hold of it
const SETTLED = 160; // milliseconds after the last move until what is seen is fetched in full
const STEP = 0.02;
const PIXELS = 3; // times as large from which pixels of the result are shown as they are

export class Compare extends PaintStage {
  // changed(): something was painted, or the zoom is another.
  constructor(changed) {
    super(changed);
    const broken = () => (this.broken.hidden = false);
    this.before = new Side("before", broken);
    this.after = new Side("after", broken);
    this.picture = this.after.picture;
    this.sheet.replaceChildren(this.after.element, this.before.element, this.paint.canvas, this.paint.svg);
    this.divider = h("div", { class: "divider", role: "slider", tabindex: "0", hidden: true, "aria-label": say("restore.divider"), "aria-valuemin": "0", "aria-valuemax": "100" }, h("span", { class: "grip", "aria-hidden": "true" }, "⇆"));
    const label = (key, side) => h("p", { class: `side-label ${side}`, "aria-hidden": "true" }, say(key));
    this.element.append(this.divider, label("restore.before", "left"), label("restore.after", "right"));
    this.value = 0.5; // share of what is seen that is shown as it was
    this.nearest = false;
  }

  clear() {
    super.clear();
    this.before?.clear();
    this.after?.clear();
  }

  // ---- the images ---------------------------------------------------------------------------------------------------

  get compares() {
    return Boolean(this.after.image) && !this.after.element.hidden && !this.painting;
  }

  async open(image) {
    this.clear();
    this.use(false);
    this.broken.hidden = true;
    this.lay(image);
    await this.before.show(image, say("restore.before_of", { name: image.name }));
    this.place();
  }

  // The result lies exactly over the image that it was made of.
  async restored(image) {
    const before = this.before.image;
    await this.after.show(image, say("restore.after_of", { name: image.name }));
    if (this.before.image !== before || this.after.image !== image) return;
    Object.assign(this, { width: image.width, height: image.height, value: 0.5 });
    this.use(false);
  }

  // ---- zoom ---------------------------------------------------------------------------------------------------------

  // Pixels of the screen in one of the image that is shown.
  get size() {
    return this.pixel ? devicePixelRatio / this.pixel : 1;
  }

  // A small image fits larger than it is, and can be shown as it is.
  get least() {
    return Math.min(1, this.scale / this.size);
  }

  exactly() {
    this.zoom(1 / this.size);
  }

  pan(across, down) {
    const { clientWidth, clientHeight } = this.element;
    this.x -= across * clientWidth;
    this.y -= down * clientHeight;
    this.place();
  }

  place() {
    super.place();
    if (!this.before || !this.width) return;
    const { clientWidth, clientHeight } = this.element;
    const [wide, high] = [this.width / this.pixel, this.height / this.pixel];
    const [left, top] = [(clientWidth - wide) / 2 + this.x, (clientHeight - high) / 2 + this.y];
    this.seen = [Math.max(0, left), Math.max(0, top), Math.min(clientWidth, left + wide), Math.min(clientHeight, top + high)];
    const [from, above, to, below] = this.seen;
    const at = from + this.value * (to - from);
    this.sheet.style.setProperty("--split", `${(100 * (at - left)) / wide}%`);
    Object.assign(this.divider.style, { left: `${at}px`, top: `${above}px`, height: `${Math.max(0, below - above)}px` });
    const shown = Math.round(100 * this.value);
    this.divider.setAttribute("aria-valuenow", shown);
    this.divider.setAttribute("aria-valuetext", say("restore.divided", { share: percent(this.value, 0) }));
    this.element.dataset.divided = shown;
    this.divider.hidden = !this.compares;
    this.element.classList.toggle("compares", this.compares);
    this.before.coarse(this.nearest);
    this.after.coarse(this.size > PIXELS);
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.sharpen([(from - left) / wide, (above - top) / high, (to - left) / wide, (below - top) / high], wide), SETTLED);
    this.changed();
  }

  sharpen(seen, wide) {
    this.before.sharpen(seen, wide * devicePixelRatio);
    if (this.after.image) this.after.sharpen(seen, wide * devicePixelRatio);
  }

  pixels() {
    this.nearest = !this.nearest;
    this.place();
  }

  // ---- the divider --------------------------------------------------------------------------------------------------

  slide(to) {
    this.value = Math.max(0, Math.min(1, to));
    this.place();
  }

  step(steps) {
    this.slide(this.value + steps * STEP);
  }

  listen() {
    super.listen();
    this.element.addEventListener("pointerdown", (event) => {
      if (event.button || !this.compares) return;
      const away = Math.abs(event.clientX - this.divider.getBoundingClientRect().x - this.divider.offsetWidth / 2);
      this.sliding = this.pointers.size === 1 && (away <= NEAR || this.scale <= 1);
      if (this.sliding) this.follow(event);
    });
  }

  drag(event) {
    if (this.pointers.size > 1) this.sliding = false;
    if (!this.sliding || !this.pointers.has(event.pointerId)) return super.drag(event);
    this.follow(event);
  }

  follow(event) {
    const [from, , to] = this.seen;
    const x = event.clientX - this.element.getBoundingClientRect().left;
    if (to > from) this.slide((x - from) / (to - from));
  }
}
