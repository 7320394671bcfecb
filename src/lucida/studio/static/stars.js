// One to five stars for a picture.
import { h } from "/static/dom.js";
import { number, say } from "/static/words.js";

const MOST = 5;

export class Stars {
  // given: stars so far, 0 for none; rate(stars).
  constructor(given, rate) {
    this.buttons = [...Array(MOST).keys()].map((i) => h("button", { type: "button", class: "star", "aria-label": say("generate.stars", { count: i + 1, stars: number(i + 1) }), onclick: () => rate(i + 1) }, "★"));
    this.element = h("div", { class: "stars", role: "group", "aria-label": say("generate.rating") }, ...this.buttons);
    this.show(given);
  }

  show(given) {
    this.element.dataset.stars = given ?? 0;
    this.buttons.forEach((button, i) => {
      button.classList.toggle("lit", i < (given ?? 0));
      button.setAttribute("aria-pressed", String(i + 1 === given));
      button.title = i + 1 === given ? say("generate.unrate") : say("generate.stars", { count: i + 1, stars: number(i + 1) });
    });
  }
}
