// Which images are walked through: all, those with a label, or those that a policy is unsure of.
import { h } from "/static/dom.js";
import { get } from "/static/look.js";
import { number, say } from "/static/words.js";

const VERDICTS = ["unsure", "breaks", "ok"];

export class Lists {
  constructor(open) {
    this.open = open;
    this.choice = h("select", { class: "field", "aria-label": say("look.list"), onchange: () => this.choose() }, h("option", { value: "{}" }, say("look.all")));
    this.element = h("div", { class: "lists" }, this.choice);
    this.queue = h("section", { class: "queue", hidden: true });
  }

  async load() {
    const found = await get("/api/look/lists");
    if (found.error) return;
    const groups = Object.entries(found.questions).map(([question, labels]) =>
      h("optgroup", { label: question }, ...labels.map((label) => h("option", { value: JSON.stringify({ where: [`${question}=${label}`] }) }, `${question}: ${label}`))),
    );
    const screens = found.screens.map(({ question, counts }) =>
      h("optgroup", { label: say("look.screening", { question }) }, ...VERDICTS.map((verdict) => h("option", { value: JSON.stringify({ screen: question, verdict }) }, `${question}: ${this.word(verdict)} (${number(counts[verdict])})`))),
    );
    this.choice.append(...screens, ...groups);
    this.drawQueue(found.screens);
    if (this.marked) this.mark(this.marked, this.count);
  }

  word(verdict) {
    return { unsure: say("look.unsure"), breaks: say("look.breaks"), ok: say("look.ok") }[verdict];
  }

  drawQueue(screens) {
    this.queue.hidden = !screens.length;
    this.queue.replaceChildren(
      h("h2", {}, say("look.queue")),
      ...screens.map(({ question, counts, command }) =>
        h(
          "div",
          { class: "policy" },
          h("button", { type: "button", class: "policy-name", onclick: () => this.go({ screen: question }) }, question),
          h("div", { class: "verdicts" }, ...VERDICTS.map((verdict) => this.count_(question, verdict, counts[verdict]))),
          h("p", { class: "soft" }, say("look.review"), " ", h("code", {}, command)),
        ),
      ),
    );
  }

  count_(question, verdict, count) {
    return h("button", { type: "button", class: `plain ${verdict}`, disabled: !count, "data-screen": question, "data-verdict": verdict, onclick: () => this.go({ screen: question, verdict }) }, this.word(verdict), " ", h("b", {}, number(count)));
  }

  choose() {
    this.go(JSON.parse(this.choice.value));
  }

  go(wanted) {
    this.open({ where: [], screen: "", verdict: "", search: "", image: "", ...wanted });
  }

  // Show which list is open; one that is none of the choices becomes one.
  mark(wanted, count) {
    this.marked = wanted;
    this.count = count;
    const { where, screen, verdict, search } = wanted;
    const value = JSON.stringify(search ? { search } : screen ? { screen, verdict } : where.length ? { where } : {});
    if (![...this.choice.options].some((one) => one.value === value)) {
      const name = search ? say("look.results") : screen ? `${screen}: ${this.word(verdict)}` : where.join(", ");
      this.choice.append(h("option", { value, "data-own": true }, name));
    }
    this.choice.value = value;
    for (const button of this.queue.querySelectorAll("[data-verdict]")) button.setAttribute("aria-pressed", String(button.dataset.screen === screen && button.dataset.verdict === verdict));
  }
}
