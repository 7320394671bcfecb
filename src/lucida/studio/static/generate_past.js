// What was asked before, the newest first.
import { h } from "/static/dom.js";
import { fourParts, get } from "/static/look.js";
import { moment } from "/static/train_series.js";
import { number, say } from "/static/words.js";

const FIRST = 12;

export class Past {
  constructor(open) {
    this.open = open;
    this.limit = FIRST;
    this.list = h("div", { class: "past-list" });
    this.more = h("button", { type: "button", class: "plain", hidden: true, onclick: () => this.further() }, say("generate.more"));
    this.element = h("section", { class: "past", "aria-label": say("generate.earlier"), hidden: true }, h("h2", {}, say("generate.earlier")), this.list, this.more);
  }

  further() {
    this.limit *= 3;
    return this.load();
  }

  async load() {
    const found = await get(`/api/generate/history?limit=${this.limit}`);
    if (found.error) return this.list.replaceChildren(fourParts(found.error));
    this.list.replaceChildren(...found.map((one) => this.row(one)));
    this.element.hidden = !found.length;
    this.more.hidden = found.length < this.limit;
    this.element.dataset.count = found.length;
  }

  row({ run, model, prompt, loras, n, images, time }) {
    const thumbs = images.map((id) => h("img", { src: `/api/generate/picture/${id}?side=160`, alt: "", loading: "lazy" }));
    const told = [[model, ...loras].join(" + "), say("generate.count", { count: n, pictures: number(n) }), moment(time)].join(" · ");
    return h("button", { type: "button", class: "past-one", "data-run": run, title: say("generate.recall"), onclick: () => this.open(run) }, h("span", { class: "thumbs" }, ...thumbs), h("span", { class: "past-words" }, h("span", { class: "past-prompt" }, prompt || say("generate.no_words")), h("span", { class: "soft" }, told)));
  }
}
