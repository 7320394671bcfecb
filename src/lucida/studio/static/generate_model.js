// Which model draws, what to know of it, and models that are asked for by name.
import { h } from "/static/dom.js";
import { fourParts, get } from "/static/look.js";
import { say } from "/static/words.js";

const OTHER = "\n"; // no name of a model
const OWN = "embedded-generator"; // comes with the package

export class ModelChoice {
  constructor(models, changed) {
    this.models = models;
    this.changed = changed;
    this.select = h("select", { class: "field", "aria-label": say("generate.model"), onchange: () => this.show() });
    this.name = h("input", { type: "text", class: "field", maxlength: "1000", spellcheck: "false", placeholder: say("generate.model_name"), "aria-label": say("generate.model_name"), onchange: () => this.pick(this.name.value.trim()) });
    this.note = h("div", { class: "soft note" });
    this.element = h("section", { class: "wishes" }, h("label", { class: "row" }, h("span", { class: "legend" }, say("generate.model")), this.select), this.name, this.note);
    this.list();
    this.select.value = (models.find(({ at_hand }) => at_hand) ?? models[0])?.name ?? OTHER;
    this.tell();
  }

  get chosen() {
    return this.models.find(({ name }) => name === this.select.value);
  }

  list() {
    const option = ({ name }) => h("option", { value: name }, name);
    const group = (text, models) => (models.length ? [h("optgroup", { label: text }, ...models.map(option))] : []);
    this.select.replaceChildren(
      ...group(say("generate.here"), this.models.filter(({ at_hand }) => at_hand)),
      ...group(say("generate.elsewhere"), this.models.filter(({ at_hand, needs }) => !at_hand && !needs.remote)),
      ...group(say("generate.behind"), this.models.filter(({ at_hand, needs }) => !at_hand && needs.remote)),
      h("option", { value: OTHER }, say("generate.other")),
    );
  }

  show() {
    this.tell();
    this.changed();
    if (!this.chosen) this.name.focus();
  }

  tell() {
    const { chosen } = this;
    this.name.hidden = Boolean(chosen);
    const lines = chosen ? [chosen.name === OWN ? say("generate.embedded_note") : chosen.note, say("generate.licence", { licence: chosen.licence }), chosen.terms, chosen.at_hand || chosen.needs.remote ? "" : say("generate.brought")] : [say("generate.names")];
    this.note.replaceChildren(...lines.filter(Boolean).map((text) => h("p", {}, text)));
  }

  // Choose a model by its name; one that is not in the list is asked for.
  async pick(name) {
    if (!name) return;
    if (!this.models.some((model) => model.name === name)) {
      const found = await get(`/api/generate/model?name=${encodeURIComponent(name)}`);
      if (found.error) return void this.note.replaceChildren(fourParts(found.error));
      if (!this.models.some((model) => model.name === found.name)) this.models.push(found);
      name = found.name;
      this.list();
    }
    this.select.value = name;
    this.name.value = "";
    this.show();
  }
}
