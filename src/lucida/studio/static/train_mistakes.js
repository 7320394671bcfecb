// Where a finished run is wrong: pictures, the surest mistake first, and each of them explained.
import { h } from "/static/dom.js";
import { metricName, metricValue } from "/static/train_series.js";
import { number, percent, say, sure } from "/static/words.js";

const AGAIN = 1000; // ms until the server is asked again whether it is done
const PAIRS = 6; // what is most often taken for what
const THUMB = 240;
const LARGE = 900;
const FIRST = 24; // mistakes shown until all are asked for

export class Mistakes {
  constructor(run, busy) {
    this.run = run;
    this.list = h("ol", { class: "mistakes" });
    this.pairs = h("div", { class: "pairs", role: "group", "aria-label": say("train.pairs") });
    this.status = h("p", { class: "soft", role: "status" });
    this.rest = h("button", { type: "button", class: "plain", hidden: true, onclick: () => this.all() });
    this.element = h("div", { class: "wrong" }, h("h2", {}, say("train.mistakes")), this.status, this.pairs, this.list, this.rest);
    this.list.addEventListener("keydown", (event) => this.key(event));
    // Judging takes the cores that a training needs: then it waits until somebody asks.
    if (busy) this.list.before(h("button", { type: "button", class: "plain", onclick: (event) => (event.target.remove(), this.ask()) }, say("train.find")));
    else this.ask();
  }

  async ask() {
    for (;;) {
      this.status.textContent = say("train.judging");
      const found = await get(`/api/train/${this.run}/mistakes`);
      if (found.state === "ready") return this.show(found);
      if (found.state !== "working") return this.fail(found.error);
      await new Promise((resolve) => setTimeout(resolve, AGAIN));
      if (!this.element.isConnected) {
        // Another run was opened; the server goes on, and this one is asked again when it is opened again.
        await new Promise((resolve) => setTimeout(resolve, 3 * AGAIN));
        if (!this.element.isConnected) return;
      }
    }
  }

  fail(error) {
    this.status.replaceChildren(...failure(error));
  }

  show(found) {
    this.found = found;
    const { metric, images, count, exact } = found;
    const right = metric.value === undefined ? "" : say("train.measured", {
      metric: metricName(metric.name), value: metricValue(metric.name, metric.value),
      low: metricValue(metric.name, metric.low), high: metricValue(metric.name, metric.high), images: number(images),
    });
    const wrong = say(exact ? "train.wrong" : "train.worst", { count: number(count), images: number(images) });
    this.status.replaceChildren(h("span", {}, [right, count ? wrong : say("train.no_mistake")].filter(Boolean).join(" ")));
    for (const note of found.notes) this.status.append(h("span", { class: "note" }, note));
    this.choices();
    this.draw("");
  }

  choices() {
    const counts = new Map();
    if (!this.found.exact) return;
    for (const { truth, found } of this.found.mistakes) {
      const pair = JSON.stringify([truth, found]);
      counts.set(pair, (counts.get(pair) ?? 0) + 1);
    }
    const most = [...counts].sort((a, b) => b[1] - a[1]).filter(([, count]) => count > 1).slice(0, PAIRS);
    if (!most.length) return;
    const button = (pair, text, count) =>
      h("button", { type: "button", "data-pair": pair, onclick: () => this.draw(pair) }, text, h("small", {}, number(count)));
    const all = button("", say("train.all"), this.found.mistakes.length);
    this.pairs.replaceChildren(all, ...most.map(([pair, count]) => {
      const [truth, found] = JSON.parse(pair);
      return button(pair, say("train.taken", { truth, found }), count);
    }));
  }

  draw(pair) {
    for (const button of this.pairs.children) button.setAttribute("aria-pressed", button.dataset.pair === pair);
    this.shown = this.found.mistakes.filter(({ truth, found }) => !pair || JSON.stringify([truth, found]) === pair);
    this.list.replaceChildren(...this.shown.slice(0, FIRST).map((one, place) => this.card(one, place)));
    this.rest.hidden = this.shown.length <= FIRST;
    this.rest.textContent = say("train.more", { count: number(this.shown.length) });
  }

  all() {
    this.list.append(...this.shown.slice(FIRST).map((one, place) => this.card(one, FIRST + place)));
    this.list.children[FIRST].firstChild.focus();
    this.rest.hidden = true;
  }

  card(one, place) {
    const image = h("img", { src: this.picture(one, THUMB), alt: "", loading: "lazy", decoding: "async", draggable: "false" });
    image.addEventListener("error", () => image.replaceWith(h("span", { class: "broken" }, "×")));
    const text = [
      h("span", { class: "said" }, sign("cross", "✗", say("train.wrongly")), h("strong", {}, one.found), score(one.score)),
      h("span", { class: "truth" }, sign("tick", "✓", say("train.rightly")), h("span", {}, one.truth)),
    ];
    return h("li", {}, h("button", { type: "button", title: one.name, onclick: () => this.open(place) }, h("span", { class: "thumb" }, image), h("span", { class: "text" }, ...text)));
  }

  picture(one, side) {
    return `/api/train/${this.run}/picture/${one.number}?side=${side}`;
  }

  focus() {
    const first = this.list.querySelector("button") ?? this.element.querySelector("button");
    first?.focus();
    this.element.scrollIntoView({ block: "start" });
  }

  // From one picture to another with the arrows; lines are found by where they are.
  key(event) {
    const cards = [...this.list.querySelectorAll("button")];
    const at = cards.indexOf(event.target);
    if (at < 0) return;
    const columns = Math.max(1, cards.findIndex((card) => card.offsetTop > cards[0].offsetTop));
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, Home: -at, End: cards.length - 1 - at }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    cards[Math.max(0, Math.min(cards.length - 1, at + step))].focus();
  }

  open(place) {
    const dialog = new MistakeDialog(this, place);
    dialog.show();
  }
}

class MistakeDialog {
  constructor(mistakes, place) {
    this.mistakes = mistakes;
    this.place = place;
    this.title = h("h2", { id: "mistake-title" });
    this.content = h("div", { class: "content" });
    this.count = h("span", { class: "soft" });
    const turn = (step, text, sign) => h("button", { type: "button", class: "plain", "aria-label": text, onclick: () => this.turn(step) }, sign);
    const close = h("button", { type: "button", class: "plain", onclick: () => this.element.close() }, say("train.close"));
    this.element = h("dialog", { class: "mistake", "aria-labelledby": "mistake-title" },
      h("div", { class: "dialog" }, this.title, this.content,
        h("div", { class: "buttons" }, this.count, turn(-1, say("train.before"), "←"), turn(1, say("train.after"), "→"), close)));
    this.element.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1, j: 1, k: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      this.turn(step);
    });
    this.element.addEventListener("click", (event) => event.target === this.element && this.element.close());
    this.element.addEventListener("close", () => {
      this.element.remove();
      mistakes.list.querySelectorAll("button")[this.place]?.focus();
    });
  }

  show() {
    document.body.append(this.element);
    this.element.showModal();
    this.draw();
  }

  turn(step) {
    const next = this.place + step;
    if (next < 0 || next >= this.mistakes.shown.length) return;
    this.place = next;
    this.draw();
  }

  async draw() {
    const { mistakes, place } = this;
    const one = mistakes.shown[place];
    this.count.textContent = say("train.of", { n: number(place + 1), total: number(mistakes.shown.length) });
    this.title.replaceChildren(
      h("span", { class: "said" }, sign("cross", "✗"), say("train.says", { found: one.found }), score(one.score)),
      h("span", { class: "truth" }, sign("tick", "✓"), say("train.is", { truth: one.truth }), score(one.given)),
    );
    const heat = h("figure", { class: "heat waiting" }, h("div", { class: "room" }), h("figcaption", {}, say("train.explaining")));
    const near = h("div", { class: "nearest" });
    const picture = h("figure", {}, h("img", { src: mistakes.picture(one, LARGE), alt: one.name }), h("figcaption", {}, one.name));
    this.content.replaceChildren(h("div", { class: "side-by-side" }, picture, mistakes.found.explains ? heat : null), near);
    if (!mistakes.found.explains) return picture.classList.add("alone");
    const current = () => this.mistakes.shown[this.place] === one && this.element.isConnected;
    const address = `/api/train/${mistakes.run}/mistakes/${one.number}`;
    const seen = await get(`${address}/heat`);
    if (!current()) return; // another is shown meanwhile
    showHeat(seen, heat);
    near.replaceChildren(h("p", { class: "soft", role: "status" }, say("train.remembering")));
    const alike = await get(`${address}/nearest`);
    if (current()) showNearest(alike, near);
  }
}

// A cross or a tick; without a label it is only drawn, since the words beside it say the same.
function sign(name, text, label) {
  return label ? h("span", { class: name, role: "img", "aria-label": label }, text) : h("span", { class: name, "aria-hidden": "true" }, text);
}

function score(value) {
  return value === null || value === undefined ? null : h("span", { class: "soft" }, sure(value));
}

function showHeat(found, heat) {
  heat.classList.remove("waiting");
  if (found.error) return heat.replaceChildren(h("figcaption", { class: "refused" }, ...failure(found.error)));
  const check = say(found.flat ? "train.flat" : found.depends ? "train.depends" : "train.depends_not");
  const caption = h("figcaption", {}, say("train.heat"), " ", h("span", { class: found.depends && !found.flat ? "" : "warning" }, check));
  heat.replaceChildren(h("img", { src: found.heat, alt: say("train.heat") }), caption);
}

function showNearest(found, near) {
  if (found.error) return near.replaceChildren(h("p", { class: "soft" }, ...failure(found.error)));
  const cards = found.nearest.map((one) =>
    h("li", { title: one.name }, one.picture ? h("img", { src: one.picture, alt: "" }) : h("span", { class: "no-picture" }, "×"),
      h("strong", {}, one.label), h("span", { class: "soft" }, say("train.alike", { share: percent(Math.max(0, one.likeness), 0) }))),
  );
  near.replaceChildren(h("h3", {}, say("train.nearest")), h("ol", {}, ...cards));
}

function failure(error) {
  const parts = [h("span", {}, error?.what ?? say("train.lost"))];
  if (error?.hint) parts.push(h("code", {}, error.hint));
  return parts;
}

async function get(path) {
  try {
    const response = await fetch(path);
    if (response.status === 403) return { error: { what: say("state.refused") } };
    return await response.json();
  } catch {
    return { error: { what: say("train.lost") } };
  }
}
