// Where relevance ends: one result at a time is asked about, and what is proven is said.
import { h, keyButton } from "/static/dom.js";
import { address, post } from "/static/search.js";
import { number, percent, say } from "/static/words.js";

const SHARES = [0.9, 0.8, 0.7, 0.5];

export class Ending {
  constructor(mark, line) {
    this.mark = mark;
    this.line = line;
    this.share = SHARES[0];
    this.search = null;
    this.begun = false;
    this.element = h("section", { class: "ending", "aria-label": say("find.ending"), hidden: true });
  }

  // Another search: nothing is asked until the person wants to know.
  open(search, possible) {
    this.search = search;
    this.begun = false;
    this.element.hidden = !possible;
    this.element.replaceChildren(h("button", { type: "button", class: "plain", onclick: () => this.ask() }, say("find.ending")), h("p", { class: "soft" }, say("find.ending_hint")));
  }

  close() {
    this.search = null;
    this.element.hidden = true;
  }

  ask() {
    this.begun = true;
    return this.send();
  }

  // An answer to any of the results, whether asked for or not.
  answer(image, relevant) {
    this.begun = true;
    return this.send(image, relevant);
  }

  // An answer to the one that is asked about.
  reply(relevant) {
    if (this.begun && this.next) return this.answer(this.next.image, relevant);
  }

  async send(image, relevant) {
    const search = this.search;
    if (!search) return;
    const found = await post("/api/search/judge", { search, share: this.share, image, relevant });
    if (search !== this.search) return;
    if (found.error) return this.element.replaceChildren(h("p", { role: "alert" }, found.error.what));
    this.next = found.next;
    for (const [one, yes] of Object.entries(found.answers)) this.mark(one, yes);
    this.line(found.claim);
    this.draw(found);
  }

  draw({ claim, next }) {
    const values = { results: number(claim.results), relevant: number(claim.relevant), share: percent(claim.share, 0), confidence: percent(claim.confidence, 0), count: claim.answers === 1 ? 1 : number(claim.answers) };
    const proven = claim.results ? say("find.claim", values) : say("find.claim_none", values);
    this.element.replaceChildren(
      next ? this.question(next) : null,
      h("div", { class: "proven" }, h("p", { class: "claim", role: "status" }, proven), next ? null : h("p", { class: "soft" }, say("find.over")), this.shares()),
    );
  }

  question(next) {
    return h(
      "div",
      { class: "question" },
      h("img", { src: address(next.image, 320), alt: say("review.image", { path: next.name }) }),
      h(
        "div",
        {},
        h("p", {}, say("find.asks")),
        h("p", { class: "soft file" }, next.name),
        h("div", { class: "buttons" }, keyButton({ text: say("find.relevant"), key: "Y", onclick: () => this.reply(true), className: "primary" }), keyButton({ text: say("find.irrelevant"), key: "N", onclick: () => this.reply(false), className: "plain" })),
      ),
    );
  }

  shares() {
    const choose = (event) => {
      this.share = Number(event.target.value);
      this.send();
    };
    const options = SHARES.map((share) => h("option", { value: share, selected: share === this.share }, say("find.at_least", { share: percent(share, 0) })));
    return h("label", { class: "soft" }, say("find.wanted"), " ", h("select", { class: "field", onchange: choose }, ...options));
  }
}
