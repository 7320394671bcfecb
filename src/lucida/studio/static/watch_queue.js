// Drawn answers, one after the other: right or wrong, by a key.
import { anyOpen, searchClass } from "/static/dialogs.js";
import { h, keyButton } from "/static/dom.js";
import { lines } from "/static/problem.js";
import { moment, share } from "/static/watch_text.js";
import { number, say } from "/static/words.js";

const AHEAD = 3; // images fetched early

export class Queue {
  // judge(body): sends a verdict; told(today): what is known after it; look(): asks for the view anew.
  constructor(judge, told, look) {
    this.judge = judge;
    this.told = told;
    this.look = look;
    this.waiting = [];
    this.given = []; // [answer, verdict] of this visit, the latest last
    this.classes = [];
    this.now = null;
    this.busy = false;
    this.asks = h("p", { class: "asks" });
    this.says = h("p", { class: "label" });
    this.about = h("p", { class: "soft" });
    this.picture = h("div", { class: "stage" });
    this.note = h("p", { class: "soft", role: "status" });
    const act = (verdict) => () => this.answer(verdict);
    this.buttons = h("div", { class: "verdicts", role: "group", "aria-label": say("review.answers") },
      keyButton({ text: say("watch.right"), key: "⏎", shortcut: "Enter 1", onclick: act("right"), className: "primary" }),
      keyButton({ text: say("watch.wrong"), key: "X", onclick: act("wrong"), className: "plain" }),
      keyButton({ text: say("watch.label"), key: "/", onclick: () => this.search(), className: "plain" }),
      keyButton({ text: say("review.unsure"), key: "U", onclick: act("unsure"), className: "plain" }),
      keyButton({ text: say("watch.before_this"), key: "Z", onclick: () => this.back(), className: "quiet" }));
    this.card = h("div", { class: "card-of", tabindex: "0", role: "group", "aria-label": say("watch.queue_title") }, this.picture, h("div", { class: "words" }, this.asks, this.says, this.about, this.buttons));
    this.empty = h("p", { class: "soft" });
    this.count = h("span", { class: "soft" });
    this.element = h("section", { class: "judging", tabindex: "-1", "aria-label": say("watch.queue_title") }, h("h3", {}, say("watch.queue_title"), " ", this.count), this.card, this.empty, this.note);
    this.card.addEventListener("keydown", (event) => this.key(event));
  }

  draw({ waiting }, classes, live, keeps) {
    this.classes = classes;
    this.live = live;
    this.keeps = keeps;
    if (this.busy) return; // what comes back then is newer
    this.take(waiting);
  }

  take(waiting) {
    const done = new Set(this.given.map(([one]) => one.number));
    // What can be seen comes first; of the rest only "unsure" can be said.
    this.waiting = waiting.filter((one) => !done.has(one.number)).sort((a, b) => b.kept - a.kept);
    // What somebody looks at stays until it is answered.
    const again = this.now && (this.again || this.waiting.some((one) => one.number === this.now.number));
    if (!again) this.show(this.waiting[0] ?? null);
    this.state();
  }

  show(one) {
    this.now = one;
    this.card.hidden = !one;
    if (!one) return;
    this.card.dataset.number = one.number;
    this.asks.textContent = say("watch.model_says");
    this.says.textContent = one.label || one.text || "–";
    this.about.textContent = [one.score === null ? "" : say("review.score", { score: share(one.score, 0) }), one.task, moment(one.time)].filter(Boolean).join(" · ");
    const picture = one.kept ? h("img", { src: `/api/watch/image/${one.image}`, alt: say("drift.image"), draggable: "false" }) : null;
    picture?.addEventListener("error", () => this.picture.replaceChildren(h("p", { class: "broken" }, say("drift.gone"))), { once: true });
    this.picture.replaceChildren(picture ?? h("p", { class: "broken" }, say(this.keeps ? "watch.image_passed" : "watch.image_not_kept")));
    for (const next of this.waiting.slice(1, 1 + AHEAD)) if (next.kept) new Image().src = `/api/watch/image/${next.image}`;
  }

  state() {
    this.count.textContent = this.waiting.length ? say("watch.waiting", { count: number(this.waiting.length) }) : "";
    this.empty.hidden = Boolean(this.now);
    this.empty.textContent = say(this.given.length ? "watch.all_judged" : "watch.none_waiting");
    const buttons = [...this.buttons.children];
    for (const button of buttons) button.disabled = this.busy || !this.live;
    buttons[2].hidden = !this.now?.label;
    buttons.at(-1).disabled ||= !this.given.length;
    this.element.dataset.state = this.busy ? "busy" : this.now ? "asking" : "empty";
  }

  async answer(verdict, label = null) {
    if (this.busy || !this.now || !this.live) return;
    const one = this.now;
    if (verdict === "wrong" && label === one.label) [verdict, label] = ["right", null];
    this.busy = true;
    this.state();
    const found = await this.judge({ number: one.number, verdict, label });
    this.busy = false;
    if (found.error) {
      this.note.textContent = lines(found.error).join(" ");
      this.state();
      return;
    }
    this.note.textContent = say(`watch.noted_${label ? "label" : verdict}`, { label });
    this.given = [...this.given.filter(([other]) => other.number !== one.number), [one, verdict]];
    this.again = false;
    this.now = null;
    this.told(found.today);
    this.take(found.waiting);
    // A label's dialog took the focus: the keys go on here.
    if (document.activeElement === document.body || this.card.contains(document.activeElement)) (this.now ? this.card : this.element).focus({ preventScroll: true });
    this.look();
  }

  // The one before once more: the last word counts.
  back() {
    const last = this.given.pop();
    if (!last || this.busy) return;
    this.again = true;
    this.show(last[0]);
    this.state();
    this.card.focus({ preventScroll: true });
  }

  search() {
    if (this.busy || !this.now?.label || !this.live) return;
    searchClass(Promise.resolve(this.classes), (label) => this.answer("wrong", label));
  }

  // Keys answer only here: whoever reads the page elsewhere answers nothing by chance.
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || anyOpen() || event.repeat) return;
    const onButton = event.target.closest("button");
    if (onButton && (event.key === "Enter" || event.key === " ")) return;
    const named = { Enter: () => this.answer("right"), 1: () => this.answer("right"), x: () => this.answer("wrong"), u: () => this.answer("unsure"), "/": () => this.search(), z: () => this.back(), Backspace: () => this.back() };
    const run = named[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!run) return;
    event.preventDefault();
    run();
  }
}
