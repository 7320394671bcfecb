// What is on screen: the image, the question under it, the buttons.
import { h, keyButton, painted } from "/static/dom.js";
import { drawEnd } from "/static/end.js";
import { drawPanel } from "/static/panel.js";
import { hold, prepare } from "/static/pictures.js";
import { number, percent, say, sure } from "/static/words.js";

const KEYS = 9;
const TINY = 48; // pixels: below, an image is shown in squares, since blurring would invent what is not there
const PATIENCE = 120; // ms until the page says that it loads an image

export class Screen {
  // act: what to call when a button is pressed; ask: { search, help, freeze, stop }; view: the first one
  constructor(root, act, ask, view) {
    this.root = root;
    this.texts = view.unit !== "labels";
    root.classList.toggle("texts", this.texts);
    this.act = act;
    this.ask = ask;
    this.held = [];
    this.now = null;
    this.picture = h("div", { class: "picture" });
    this.like = h("div", { class: "like" });
    this.path = h("figcaption", { class: "path" });
    this.other = h("p", { class: "path other" }, say("review.other_image"));
    this.asks = h("p", { class: "asks" });
    this.label = h("h1", { class: "label", id: "proposal" });
    this.score = h("span", { class: "score" });
    this.meter = h("i");
    this.reason = h("p", { class: "reason" });
    this.choices = Array.from({ length: KEYS }, (_, i) => this.choiceButton(i));
    this.undo = keyButton({ text: "", key: "Z", shortcut: "Z Backspace", onclick: () => act({ kind: "undo" }) });
    this.panel = h("aside", { class: "panel", "aria-label": say("steps.label") });
    this.live = h("p", { class: "unseen", "aria-live": "polite" });
    this.banner = h("p", { class: "banner", role: "status", hidden: true });
    this.view = h("section", { class: "view" }, this.stage(), this.question(), this.answers());
    root.replaceChildren(this.view, this.panel, this.banner, this.live);
  }

  stage() {
    this.larger = h("button", { type: "button", class: "enlarge", "aria-keyshortcuts": "E", onclick: () => this.enlarge() });
    this.nameEnlarge(false);
    this.figure = h("figure", { class: "stage" }, this.picture, this.like, this.path, this.other, this.larger);
    return this.figure;
  }

  question() {
    return h(
      "div",
      { class: "question" },
      this.asks,
      h("div", { class: "line" }, this.label, this.score, h("span", { class: "meter", "aria-hidden": "true" }, this.meter)),
      this.reason,
    );
  }

  answers() {
    const { act, ask } = this;
    const more = [
      this.texts
        ? keyButton({ text: say("text.edit"), name: say("text.edit_hint"), key: "/", onclick: ask.search })
        : keyButton({ text: say("review.other"), name: say("review.other_hint"), key: "/", onclick: ask.search }),
      keyButton({
        text: say(this.texts ? "text.wrong" : "review.none"), name: this.texts ? say("text.wrong_hint") : undefined,
        key: "X", onclick: () => act({ kind: "none" }),
      }),
      keyButton({ text: say("review.unsure"), key: "U", shortcut: "U 0", onclick: () => act({ kind: "unsure" }) }),
      h("span", { class: "gap" }),
      this.undo,
      keyButton({ text: say("review.help"), key: "?", onclick: ask.help, className: "keys-button" }),
    ];
    return h(
      "div",
      { class: "answers", role: "group", "aria-label": say("review.answers") },
      h("div", { class: "choices" }, ...this.choices),
      h("div", { class: "more" }, ...more),
    );
  }

  choiceButton(index) {
    const button = keyButton({
      text: "", key: index ? String(index + 1) : "⏎", shortcut: index ? String(index + 1) : "Enter Space 1",
      onclick: () => this.act(index ? { kind: "choose", index } : { kind: "accept" }),
      className: index ? "choice" : "choice primary",
    });
    if (index) button.append(h("small"));
    return button;
  }

  // Show a view; resolved when it is on screen.
  async show(view) {
    if (view.ended || view.phase === "done") {
      this.root.className = "board over";
      this.drawEnd(view);
      return painted();
    }
    const { card } = view;
    const entry = card && prepare(card.url);
    const like = card?.like ? prepare(card.like) : null;
    const [good, both] = await this.wait(Promise.all([entry?.ready ?? true, like?.ready ?? false]));
    this.root.dataset.phase = view.phase;
    this.asks.textContent = this.questionOf(view);
    if (card) this.drawCard(card, entry, good);
    else this.drawNothing(view);
    this.drawLike(both ? like.picture : null);
    this.drawUndo(view.undo);
    this.drawPanel(view);
    this.held = [this.now, card?.url, card?.like].filter(Boolean); // the one before stays at hand for an undo
    this.now = card?.url;
    await painted();
    this.root.dataset.turn = view.turn;
  }

  questionOf(view) {
    return view.asked || say("review.asks");
  }

  drawPanel(view) {
    drawPanel(this.panel, view, this.ask);
  }

  drawEnd(view) {
    drawEnd(this.root, view);
  }

  // Fetch the images that come next.
  coming(urls) {
    hold(this.held, urls);
  }

  async wait(ready) {
    const late = setTimeout(() => this.root.classList.add("loading"), PATIENCE);
    const good = await ready;
    clearTimeout(late);
    this.root.classList.remove("loading");
    return good;
  }

  drawCard(card, { picture }, good) {
    picture.alt = say("review.image", { path: card.path });
    picture.classList.toggle("tiny", picture.naturalWidth <= TINY && picture.naturalHeight <= TINY);
    picture.onclick = () => this.enlarge();
    this.root.classList.remove("empty");
    this.picture.replaceChildren(good ? picture : h("p", { class: "broken" }, say("review.broken")));
    this.path.textContent = short(card.path);
    this.path.title = card.path;
    this.label.textContent = card.proposal;
    // A text of which the model did not say how sure it is has the score 0.
    this.root.classList.toggle("unscored", this.texts && card.score === 0);
    this.score.textContent = say("review.score", { score: sure(card.score) });
    this.meter.style.width = percent(card.score, 1).replace(",", ".");
    this.drawReason(card);
    this.choices.forEach((button, i) => this.drawChoice(button, i, card));
    this.live.textContent = say("review.next", { label: card.proposal, score: sure(card.score) });
  }

  // Another image beside the one that is asked about, where they are alike.
  drawLike(picture) {
    this.figure.classList.toggle("pair", Boolean(picture));
    if (picture) {
      picture.alt = say("review.other_image");
      picture.classList.toggle("tiny", picture.naturalWidth <= TINY && picture.naturalHeight <= TINY);
      picture.onclick = () => this.enlarge();
    }
    this.like.replaceChildren(...(picture ? [picture] : []));
  }

  // Why the model says so, and how many agree. One that argues for another label says which, and whose words it is.
  drawReason({ reason, by, agree, said }) {
    const parts = this.root.classList.contains("unscored") ? [say("text.no_score")] : [];
    if (agree) parts.push(say("review.agree", { k: number(agree[0]), n: number(agree[1]) }));
    const words = { by: by || say("review.the_model"), label: said, reason };
    if (reason) parts.push(said ? say("review.said", words) : by ? say("review.reason_by", words) : reason);
    this.reason.textContent = parts.join(" · ");
    this.reason.title = reason;
  }

  drawChoice(button, i, card) {
    const choice = card.choices[i];
    button.hidden = !choice;
    if (!choice) return;
    const [label, score] = choice;
    button.querySelector(".text").textContent = i ? label : say("review.accept");
    button.setAttribute("aria-label", say(i ? "review.choose" : "review.accept_label", { label }));
    button.title = i ? label : "";
    if (i) button.querySelector("small").textContent = score === null ? "" : sure(score);
  }

  drawNothing(view) {
    this.root.classList.add("empty");
    this.picture.replaceChildren(h("p", { class: "broken" }, say(`review.nothing_${view.phase}`)));
    this.path.textContent = "";
  }

  drawUndo(undo) {
    const unsure = undo?.verdict === "unsure";
    const key = !undo ? "review.undo" : unsure ? "review.undo_unsure" : undo.label ? "review.undo_label" : "review.undo_none";
    this.undo.querySelector(".text").textContent = say(key, { label: undo?.label });
  }

  // What a number key does; a class that was searched for; the classes known without asking.
  digit(index) {
    this.act({ kind: "choose", index });
  }

  choose(label) {
    this.act({ kind: "label", label });
  }

  known(card) {
    return card.choices.map(([label]) => label);
  }

  enlarge(on = !this.root.classList.contains("large")) {
    this.root.classList.toggle("large", on);
    this.nameEnlarge(on);
  }

  nameEnlarge(on) {
    const name = say(on ? "review.shrink" : "review.enlarge");
    this.larger.title = `${name} (E)`;
    this.larger.setAttribute("aria-label", name);
  }

  // Say what the page waits for, in a place that is seen and read aloud; "" for nothing.
  say(text, kind = "") {
    this.banner.hidden = !text;
    this.banner.dataset.kind = kind;
    if (this.banner.textContent !== text) this.banner.textContent = text;
  }

  enable(on) {
    for (const button of this.root.querySelectorAll(".view button, .panel button")) button.disabled = !on;
  }
}

// The end of a path says which image it is; the whole is shown when the pointer rests on it.
function short(path) {
  const parts = path.split(/[\\/]/);
  return parts.length > 3 ? `…/${parts.slice(-2).join("/")}` : path;
}
