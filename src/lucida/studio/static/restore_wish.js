// What is to be done: how much larger, how much noise is taken out, by which models, and whether something is removed.
import { choice } from "/static/choice.js";
import { h } from "/static/dom.js";
import { number, say } from "/static/words.js";

const LEVELS = [1, 75]; // grey levels of noise
const USUAL_LEVEL = 15;

export class Wishes {
  // view: { models: [{ name, tasks, scales, note }], usual }; changed(): something else is wished.
  constructor({ models, usual }, changed) {
    this.models = models;
    this.usual = models.find(({ name }) => name === usual);
    this.changed = changed;
    this.image = null;
    this.masked = false;
    const refresh = () => this.refresh();
    this.upscale = choice(say("restore.upscale"), [1, 2, 3, 4].map((scale) => [String(scale), `×${scale}`]), refresh);
    this.denoise = choice(say("restore.denoise"), [["", say("restore.leave")], ["auto", say("restore.auto")], ["level", say("restore.level")]], refresh);
    this.slider = h("input", { type: "range", min: LEVELS[0], max: LEVELS[1], value: USUAL_LEVEL, "aria-label": say("restore.level_of"), oninput: refresh });
    this.level = h("output", {});
    this.levels = h("label", { class: "slide", title: say("restore.level_of") }, this.slider, this.level);
    this.model = h("select", { class: "field", "aria-label": say("restore.model"), onchange: refresh }, ...models.map(({ name }) => h("option", { value: name }, title(name))));
    this.note = h("p", { class: "soft" });
    this.size = h("p", { class: "soft size-after", role: "status" });
    this.lacks = h("p", { class: "soft", hidden: true }, say("restore.lacks"));
    this.element = h("section", { class: "wishes" }, this.upscale.element, this.denoise.element, this.levels, h("label", { class: "model" }, h("span", { class: "legend" }, say("restore.model")), this.model), this.note, this.lacks, this.size);
    this.upscale.value = this.can("upscale") ? "2" : "1";
    this.denoise.value = "";
    this.refresh();
  }

  get chosen() {
    return this.models.find(({ name }) => name === this.model.value);
  }

  // Whether there is a model for a task: what a set has not, the usual one does.
  can(task) {
    return [this.chosen, this.usual].some((one) => one?.tasks.includes(task));
  }

  get value() {
    const denoise = { "": null, auto: "auto", level: Number(this.slider.value) }[this.denoise.value];
    return { upscale: Number(this.upscale.value), denoise, model: this.model.value };
  }

  get empty() {
    return this.upscale.value === "1" && !this.denoise.value && !this.masked;
  }

  show(image, masked) {
    this.image = image;
    this.masked = masked;
    this.refresh();
  }

  refresh() {
    for (const value of ["2", "3", "4"]) this.upscale.enable(value, this.can("upscale"));
    for (const value of ["auto", "level"]) this.denoise.enable(value, this.can("denoise"));
    this.lacks.hidden = this.can("upscale") && this.can("denoise");
    this.levels.hidden = this.denoise.value !== "level";
    this.level.textContent = this.slider.value;
    this.note.textContent = told(this.chosen);
    const scale = Number(this.upscale.value);
    const { width, height } = this.image ?? {};
    const size = (w, h) => say("restore.size", { width: number(w), height: number(h) });
    this.size.textContent = !this.image ? "" : scale === 1 ? size(width, height) : say("restore.becomes", { before: size(width, height), after: size(width * scale, height * scale) });
    this.changed();
  }

  // The mouse is not needed: a digit is the scale.
  key(digit) {
    if (this.can("upscale") || digit === "1") this.upscale.value = digit;
    this.refresh();
  }
}

const title = (name) => ({ embedded: say("restore.embedded"), "embedded-real": say("restore.real") })[name] ?? name;
const told = (model) => ({ embedded: say("restore.embedded_note"), "embedded-real": say("restore.real_note") })[model?.name] ?? model?.note ?? "";
