// Ask: questions about the image in one's own words. Nothing is sent before the person presses the button.
import { h } from "/static/dom.js";
import { fourParts, get } from "/static/look.js";
import { dollars } from "/static/look_said.js";
import { post } from "/static/search.js";
import { number, say, sure } from "/static/words.js";

export class Ask {
  constructor(models, kept) {
    this.kept = kept; // an answer was kept
    this.talks = new Map(); // image -> [{ question, answer }], for as long as the page is open
    this.image = null;
    this.busy = null;
    this.model = h("input", { type: "text", class: "field", list: "answering", maxlength: "1000", placeholder: say("look.model"), "aria-label": say("look.model"), autocomplete: "off", spellcheck: "false", oninput: () => this.place() });
    this.model.value = models[0]?.name ?? "";
    const offered = h("datalist", { id: "answering" }, ...models.map(({ name }) => h("option", { value: name })));
    this.goes = h("p", { class: "soft goes", role: "status" });
    this.text = h("textarea", { rows: "2", maxlength: "20000", class: "field", placeholder: say("look.question"), "aria-label": say("look.question"), onkeydown: (event) => this.typed(event) });
    this.button = h("button", { type: "submit", class: "primary" }, say("look.ask"));
    this.fresh = h("button", { type: "button", class: "plain", hidden: true, onclick: () => this.begin() }, say("look.fresh"));
    this.talk = h("div", { class: "talk", "aria-live": "polite" });
    const form = h("form", { onsubmit: (event) => (event.preventDefault(), this.send()) }, this.model, offered, this.goes, this.talk, this.text, h("div", { class: "buttons" }, this.fresh, this.button));
    this.element = h("section", { class: "asking" }, h("h2", {}, say("look.ask_title")), form);
    this.place();
  }

  focus() {
    this.text.focus();
  }

  show(image) {
    this.image = image;
    this.element.hidden = !image;
    this.draw();
  }

  // Where the image would go: known from the name alone, so that nothing is sent to find it out.
  place() {
    clearTimeout(this.waiting);
    const name = this.model.value.trim();
    if (!name) this.goes.textContent = say("look.which");
    else this.waiting = setTimeout(() => this.whither(name), 150);
  }

  async whither(name) {
    const found = await get(`/api/look/model?name=${encodeURIComponent(name)}`);
    if (name !== this.model.value.trim()) return;
    if (found.error) this.goes.textContent = found.error.what;
    else {
      const most = found.most && say("look.most", { cost: dollars(found.most) });
      this.goes.textContent = [found.local ? say(found.host ? "look.stays" : "look.loaded") : say("look.sent", { host: found.host }), most].filter(Boolean).join(" ");
    }
    this.goes.classList.toggle("away", found.local === false);
  }

  typed(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.send();
  }

  begin() {
    this.talks.delete(this.image);
    this.draw();
    this.focus();
  }

  async send() {
    const [question, model, image] = [this.text.value.trim(), this.model.value.trim(), this.image];
    if (this.busy || !image) return;
    if (!question) return this.text.focus();
    if (!model) return this.model.focus();
    const turns = this.talks.get(image) ?? [];
    const before = turns.filter(({ answer }) => answer).map(({ question, answer }) => [question, answer.text]);
    const turn = { question };
    this.talks.set(image, [...turns.filter(({ answer }) => answer), turn]);
    this.busy = turn;
    turn.over = new AbortController();
    this.text.value = "";
    this.draw();
    const found = await post("/api/look/ask", { image, model, before, question }, turn.over.signal);
    this.busy = null;
    if (found.cancelled) turn.cancelled = true;
    else if (found.error) turn.error = found.error;
    else turn.answer = found;
    // What was not answered can be asked again as it was.
    if (!turn.answer && image === this.image && !this.text.value) this.text.value = question;
    this.draw();
  }

  draw() {
    const turns = this.talks.get(this.image) ?? [];
    this.talk.replaceChildren(...turns.map((turn) => this.turn(turn)));
    this.fresh.hidden = !turns.length || Boolean(this.busy);
    this.button.disabled = Boolean(this.busy);
    this.button.textContent = turns.some(({ answer }) => answer) ? say("look.further") : say("look.ask");
    this.element.dataset.state = this.busy ? "asking" : "ready";
  }

  turn(turn) {
    const { question, answer, error, cancelled, over } = turn;
    // The server sees that nobody waits any more, and ends the answer.
    const cancel = () => h("button", { type: "button", class: "plain cancel", onclick: () => over.abort() }, say("look.cancel"));
    const waits = turn === this.busy ? h("p", { class: "soft waits", role: "status" }, h("span", { class: "spinner", "aria-hidden": "true" }), say("look.asking"), cancel()) : null;
    const ended = cancelled ? h("p", { class: "soft ended", role: "status" }, say("look.cancelled")) : null;
    return h("div", { class: "turn" }, h("p", { class: "asked" }, question), waits, ended, error ? fourParts(error) : null, answer ? this.answer(turn) : null);
  }

  answer(turn) {
    const { text, reason, score, cost, tokens, seconds, model } = turn.answer;
    const price = cost ? say("look.cost", { cost: dollars(cost) }) : cost === 0 ? say("look.free") : say("look.unpriced", { tokens: number(tokens) });
    const keep = turn.run
      ? h("p", { class: "soft" }, say("look.kept"))
      : h("button", { type: "button", class: "plain keep", onclick: (event) => this.keep(turn, event.target) }, say("look.keep"));
    return h(
      "div",
      { class: "answer" },
      h("p", { class: "words" }, text),
      reason ? h("p", { class: "soft reason" }, say("look.reason", { reason })) : null,
      h("p", { class: "soft" }, [model, score === null ? null : sure(score), `${seconds} s`, price].filter(Boolean).join(" · ")),
      turn.problem ? fourParts(turn.problem) : null,
      keep,
    );
  }

  async keep(turn, button) {
    button.disabled = true;
    const found = await post("/api/look/keep", { token: turn.answer.token });
    if (found.error) turn.problem = found.error;
    else Object.assign(turn, { run: found.run, problem: null });
    this.draw();
    if (found.run) this.kept();
  }
}
