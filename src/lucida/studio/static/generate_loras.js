// The LoRAs of a request: which ones, and how strongly each counts.
import { h } from "/static/dom.js";
import { get } from "/static/look.js";
import { number, say } from "/static/words.js";

const OTHER = "\n"; // no name of a LoRA
const USUAL = [-1, 2]; // weights, where a request asked for none beyond

export class Loras {
  // view: { loras, most_loras }; changed(): others, or other weights; failed(error).
  constructor({ loras, most_loras }, changed, failed) {
    Object.assign(this, { known: loras, most: most_loras, changed, failed, rows: [], able: false });
    this.list = h("div", { class: "lora-list" });
    this.add = h("select", { class: "field", "aria-label": say("generate.lora_add"), onchange: () => this.choose() });
    this.name = h("input", { type: "text", class: "field", hidden: true, maxlength: "1000", spellcheck: "false", placeholder: say("generate.lora_name"), "aria-label": say("generate.lora_name"), onchange: () => this.ask() });
    this.element = h("section", { class: "loras", "aria-label": say("generate.loras") }, h("p", { class: "legend" }, say("generate.loras")), this.list, this.add, this.name);
    this.refresh();
  }

  // able: the model takes some; what was chosen stays for a model that does.
  show(able) {
    this.able = able;
    this.element.hidden = !able;
  }

  get value() {
    return this.able ? this.rows.map(({ lora, slider }) => ({ name: lora.name, weight: Number(slider.value) })) : [];
  }

  // An earlier request's LoRAs: { name, title, base, prompt, weight } each.
  set(loras) {
    this.rows = loras.map((lora) => this.row(lora, lora.weight));
    this.refresh();
  }

  choose() {
    const name = this.add.value;
    this.name.hidden = name !== OTHER;
    if (name === OTHER) return this.name.focus();
    this.put(this.known.find((lora) => lora.name === name));
  }

  // One that is not in the list is asked for by its path.
  async ask() {
    const name = this.name.value.trim();
    if (!name) return;
    const found = await get(`/api/generate/lora?name=${encodeURIComponent(name)}`);
    this.failed(found.error ?? null);
    if (found.error) return;
    this.name.value = "";
    this.name.hidden = true;
    this.put(found);
  }

  put(lora) {
    if (!this.rows.some((row) => row.lora.name === lora.name)) this.rows.push(this.row(lora, 1));
    this.refresh();
    this.rows.find((row) => row.lora.name === lora.name).slider.focus();
  }

  leave(lora) {
    this.rows = this.rows.filter((row) => row.lora !== lora);
    this.refresh();
    this.add.focus();
  }

  row(lora, weight) {
    const told = h("output", {}, number(weight));
    const [least, most] = [Math.min(USUAL[0], weight), Math.max(USUAL[1], weight)];
    const slider = h("input", { type: "range", min: least, max: most, step: 0.05, "aria-label": say("generate.lora_weight", { name: lora.title }), oninput: () => this.weigh(slider, told) });
    slider.value = weight;
    const about = [lora.prompt && say("generate.lora_words", { prompt: lora.prompt }), lora.base && say("generate.lora_base", { base: lora.base })];
    const leave = h("button", { type: "button", class: "quiet act", title: say("generate.remove"), "aria-label": say("generate.lora_leave", { name: lora.title }), onclick: () => this.leave(lora) }, "✕");
    const element = h("div", { class: "lora", "data-lora": lora.name }, h("span", { class: "lora-title", title: lora.name }, lora.title), leave, h("label", { class: "slide" }, slider, told), ...about.filter(Boolean).map((line) => h("p", { class: "soft" }, line)));
    return { lora, slider, element };
  }

  weigh(slider, told) {
    told.textContent = number(Number(slider.value));
    this.changed();
  }

  refresh() {
    const chosen = new Set(this.rows.map(({ lora }) => lora.name));
    const option = (value, text) => h("option", { value }, text);
    const left = this.known.filter(({ name }) => !chosen.has(name));
    this.add.replaceChildren(option("", say("generate.lora_add")), ...left.map(({ name, title, base }) => option(name, [title, base].filter(Boolean).join(" · "))), option(OTHER, say("generate.lora_other")));
    this.add.value = "";
    this.add.hidden = this.rows.length >= this.most;
    this.list.replaceChildren(...this.rows.map(({ element }) => element));
    this.changed();
  }
}
