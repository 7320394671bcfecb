// One side of the comparison: an image as a browser gets it, and over it the part that is looked at in full.
import { h } from "/static/dom.js";

const MOST = 4096; // pixels of a part's longest side
const PART = 40e6; // pixels of the image in one part
const PARTS = 200e6; // pixels of an image of which there are parts
const AROUND = 0.1; // of what is seen, fetched beside it

export class Side {
  constructor(name, broken) {
    this.picture = h("img", { alt: "", draggable: "false" });
    this.element = h("div", { class: name }, this.picture);
    this.picture.addEventListener("error", () => this.image && broken());
    this.clear();
  }

  clear() {
    this.image = null;
    this.picture.removeAttribute("src");
    this.drop();
    this.element.hidden = true;
  }

  // image: { token, width, height, whole }; resolves once it is drawn.
  async show(image, alt) {
    this.drop();
    this.image = image;
    this.picture.alt = alt;
    this.picture.src = `/api/restore/picture/${image.token}`;
    await this.picture.decode().catch(() => {});
    if (this.image === image) this.element.hidden = false;
  }

  drop() {
    this.part?.remove();
    this.part = null;
    this.wanted = "";
  }

  // Pixels are shown as they are.
  coarse(on) {
    this.rough = on;
    for (const one of [this.picture, this.part]) one?.classList.toggle("coarse", on);
  }

  // seen: left, top, right, bottom in shares of the image; wide: pixels of the screen that all of it would take.
  async sharpen([left, top, right, bottom], wide) {
    const { image } = this;
    if (!image || image.whole || image.width * image.height > PARTS) return;
    if (wide <= 1.05 * this.picture.naturalWidth || right <= left || bottom <= top) return this.drop();
    const [dx, dy] = [AROUND * (right - left), AROUND * (bottom - top)];
    const [l, r] = [left - dx, right + dx].map((share) => Math.round(Math.max(0, Math.min(1, share)) * image.width));
    const [t, b] = [top - dy, bottom + dy].map((share) => Math.round(Math.max(0, Math.min(1, share)) * image.height));
    const [width, height] = [r - l, b - t];
    if (width < 1 || height < 1 || width * height > PART) return this.drop();
    const most = Math.max(16, Math.min(MOST, Math.ceil((Math.max(width, height) * wide) / image.width)));
    const wanted = `/api/restore/part/${image.token}?left=${l}&top=${t}&width=${width}&height=${height}&most=${most}`;
    if (wanted === this.wanted) return;
    this.wanted = wanted;
    const part = h("img", { alt: "", draggable: "false", class: "part" });
    part.src = wanted;
    await part.decode().catch(() => {});
    if (wanted !== this.wanted || !part.naturalWidth) return;
    const percent = (share) => `${100 * share}%`;
    Object.assign(part.style, { left: percent(l / image.width), top: percent(t / image.height), width: percent(width / image.width), height: percent(height / image.height) });
    part.classList.toggle("coarse", Boolean(this.rough));
    this.part?.remove();
    this.part = part;
    this.element.append(part);
  }
}
