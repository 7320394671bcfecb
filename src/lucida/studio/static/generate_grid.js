// The pictures of a request, each as soon as it is drawn, in order of their seeds.
import { h } from "/static/dom.js";
import { Stars } from "/static/stars.js";
import { say, told } from "/static/words.js";

const SIDE = 512; // pixels of a picture as shown here
const SMALL = 128; // pixels up to which they are shown as they are
const EMPTY = 64; // places for pictures that are still to come

export const address = (picture, side = SIDE) => `/api/generate/picture/${picture.id}?side=${side}`;
export const coarse = ({ width, height }) => Math.max(width, height) <= SMALL;

export class Grid {
  // acts: { open(at), use(picture), rate(picture, stars) }.
  constructor(acts) {
    this.acts = acts;
    this.told = h("div", { class: "told", role: "status" });
    this.notes = h("div", { class: "remarks" });
    this.cards = h("div", { class: "cards" });
    this.element = h("div", { class: "grid", "data-count": "0" }, this.told, this.notes, this.cards);
    this.usable = false;
    this.begin(0, "0");
    this.tell([say("generate.none_yet")]);
  }

  // n places are empty; they are filled as pictures come.
  begin(n, seed) {
    this.pictures = [];
    this.count = 0;
    const first = BigInt(seed);
    this.empty = new Map([...Array(Math.min(n, EMPTY)).keys()].map((i) => [String(first + BigInt(i)), h("div", { class: "card coming" }, h("div", { class: "frame" }), h("p", { class: "seed" }, String(first + BigInt(i))))]));
    this.cards.replaceChildren(...this.empty.values());
    this.notes.replaceChildren();
    this.told.replaceChildren();
    this.element.dataset.count = 0;
    this.element.dataset.state = n ? "coming" : "there";
  }

  // No more pictures come: places that stayed empty go.
  end() {
    for (const card of this.empty.values()) card.remove();
    this.empty.clear();
    this.element.dataset.state = "there";
  }

  // parts: { id, seed, width, height, stars } each; notes: what a person should know.
  add(parts, notes) {
    for (const picture of parts) {
      const card = this.card(picture);
      const place = this.empty.get(picture.seed);
      if (place) place.replaceWith(card);
      else this.cards.append(card);
      this.empty.delete(picture.seed);
      this.pictures.push({ ...picture, card });
    }
    this.count += parts.length;
    this.pictures.sort((a, b) => (BigInt(a.seed) < BigInt(b.seed) ? -1 : 1));
    this.element.dataset.count = this.count;
    if (notes) this.notes.replaceChildren(...notes.map((note) => h("p", { class: "soft note" }, told(note))));
  }

  tell(lines) {
    this.told.replaceChildren(...lines.filter(Boolean).map((line) => h("p", { class: "soft" }, line)));
  }

  card(picture) {
    const named = say("generate.picture", { seed: picture.seed });
    const of = () => this.pictures.find(({ id, seed }) => id === picture.id && seed === picture.seed);
    const stars = new Stars(picture.stars ?? 0, (given) => this.acts.rate(of(), given));
    const image = h("img", { src: address(picture), alt: named, loading: "lazy", class: coarse(picture) ? "coarse" : "", width: picture.width, height: picture.height });
    const show = h("button", { type: "button", class: "frame", "aria-label": say("generate.enlarge", { seed: picture.seed }), onclick: () => this.acts.open(this.pictures.indexOf(of())) }, image);
    const use = h("button", { type: "button", class: "quiet act use", title: say("generate.use"), "aria-label": say("generate.use_of", { seed: picture.seed }), onclick: () => this.acts.use(of()) }, "↳");
    const save = h("a", { class: "quiet act", href: `/api/generate/file/${picture.id}`, download: "", title: say("restore.download"), "aria-label": say("generate.save_of", { seed: picture.seed }) }, "⤓");
    const card = h("figure", { class: "card", "data-image": picture.id, "data-seed": picture.seed }, show, h("figcaption", {}, h("span", { class: "seed", title: say("generate.seed") }, picture.seed), use, save, stars.element));
    card.stars = stars;
    return card;
  }

  set usable(on) {
    this.element.classList.toggle("usable", on);
  }

  rated(picture) {
    for (const one of this.pictures) if (one.id === picture.id) {
      one.stars = picture.stars;
      one.card.stars.show(picture.stars);
    }
  }
}
