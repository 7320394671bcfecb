// The words of a request, the model, and the settings that this model has.
import { h } from "/static/dom.js";
import { ModelChoice } from "/static/generate_model.js";
import { number, say } from "/static/words.js";

const SEEDS = 2 ** 32;

export class Form {
  // view: { models, most, strength }; changed(): something else is wished.
  constructor(view, changed) {
    this.view = view;
    this.changed = changed;
    this.prompt = h("textarea", { class: "field prompt", rows: 3, maxlength: "20000", placeholder: say("generate.prompt"), "aria-label": say("generate.prompt") });
    this.negative = h("input", { type: "text", class: "field", maxlength: "20000", placeholder: say("generate.negative"), "aria-label": say("generate.negative") });
    this.words = [this.prompt, this.negative];
    this.choice = new ModelChoice(view.models, () => this.choose());
    this.model = this.choice.element;
    const count = (name, least, most, step) => h("input", { type: "number", class: "field", min: least, max: most, step, "aria-label": name, oninput: () => this.changed() });
    this.n = count(say("generate.number"), 1, view.most, 1);
    this.n.value = 4;
    this.seed = h("input", { type: "text", class: "field", inputmode: "numeric", pattern: "[0-9]{1,19}", maxlength: "19", value: "0", "aria-label": say("generate.seed") });
    this.rolls = h("input", { type: "checkbox", checked: true });
    const dice = h("button", { type: "button", class: "plain dice", title: say("generate.dice"), "aria-label": say("generate.dice"), "aria-keyshortcuts": "D", onclick: () => this.dice() }, "⚄");
    this.size = h("select", { class: "field", "aria-label": say("generate.size"), onchange: () => this.changed() });
    this.width = count(say("generate.width"), 1, 1, 1);
    this.height = count(say("generate.height"), 1, 1, 1);
    this.sides = h("div", { class: "sides", hidden: true }, this.width, h("span", { "aria-hidden": "true" }, "×"), this.height);
    this.steps = count(say("generate.steps"), 1, 1, 1);
    this.guidance = count(say("generate.guidance"), 0, 100, 0.5);
    this.sampler = h("select", { class: "field", "aria-label": say("generate.sampler") });
    this.strength = h("input", { type: "range", min: 0.05, max: 1, step: 0.05, "aria-label": say("generate.strength"), oninput: () => this.strengthen() });
    this.strong = h("output", {});
    const row = (name, ...fields) => h("label", { class: "row" }, h("span", { class: "legend" }, name), ...fields);
    this.rows = {
      size: h("div", { class: "row" }, row(say("generate.size"), this.size), this.sides),
      steps: row(say("generate.steps"), this.steps),
      guidance: row(say("generate.guidance"), this.guidance),
      sampler: row(say("generate.sampler"), this.sampler),
      strength: h("div", { class: "row" }, h("span", { class: "legend" }, say("generate.strength")), h("label", { class: "slide" }, this.strength, this.strong), (this.meaning = h("p", { class: "soft" }))),
    };
    this.weight = this.rows.strength;
    const seeding = h("div", { class: "row" }, h("span", { class: "legend" }, say("generate.seed")), h("div", { class: "seeding" }, this.seed, dice));
    this.settings = h(
      "section",
      { class: "wishes" },
      h("div", { class: "pairs few" }, row(say("generate.number"), this.n), seeding),
      h("label", { class: "tick" }, this.rolls, say("generate.rolls")),
      this.rows.size,
      h("div", { class: "pairs" }, this.rows.steps, this.rows.guidance),
      this.rows.sampler,
    );
  }

  get chosen() {
    return this.choice.chosen;
  }

  // Another model: its sizes and samplers; what was typed stays.
  choose() {
    const needs = this.chosen?.needs;
    if (needs) {
      const option = (value, text) => h("option", { value }, text);
      const named = (w, h) => say("restore.size", { width: number(w), height: number(h) });
      const one = needs.least === needs.most;
      this.rows.size.hidden = one;
      this.size.replaceChildren(option("", say("generate.size_own", { size: named(...needs.size) })), ...this.chosen.sizes.slice(1).map((sides) => option(sides.join("x"), named(...sides))), option("other", say("generate.size_other")));
      for (const [side, i] of [[this.width, 0], [this.height, 1]]) Object.assign(side, { min: needs.least, max: needs.most, step: needs.multiple, value: needs.size[i] });
      this.sampler.replaceChildren(...needs.samplers.map((name, i) => option(i ? name : "", name)));
      Object.assign(this.steps, { max: needs.most_steps, placeholder: say("generate.usual", { value: number(needs.steps) }) });
      this.guidance.placeholder = say("generate.usual", { value: number(needs.guidance) });
      this.rows.steps.hidden = needs.most_steps <= 1;
      this.rows.guidance.hidden = !needs.guidance;
      this.rows.sampler.hidden = needs.samplers.length < 2;
      this.negative.hidden = !needs.negative;
    }
    this.changed();
  }

  // Choose a model by its name, which may be one that is not in the list.
  async pick(name) {
    await this.choice.pick(name);
    this.choose();
  }

  // filled: the roles of the images that are given; how strongly they count is asked only where there is one.
  show(filled) {
    this.filled = filled;
    this.rows.strength.hidden = !filled.length;
    this.sides.hidden = this.size.value !== "other";
    if (this.touched === undefined && filled.length) this.strength.value = this.view.strength[filled[0]];
    this.strong.textContent = number(Number(this.strength.value));
    const far = ["mask", "image"].includes(filled[0]);
    this.meaning.textContent = far ? say("generate.strength_image") : say("generate.strength_other");
  }

  strengthen() {
    this.touched = Number(this.strength.value);
    this.changed();
  }

  dice() {
    this.seed.value = String(Math.floor(Math.random() * SEEDS));
  }

  roll() {
    if (this.rolls.checked) this.dice();
  }

  // Width and height of what comes out without an image: a sheet to draw on.
  get sheet() {
    return this.sized ?? this.chosen.needs.size;
  }

  get sized() {
    if (this.rows.size.hidden || !this.size.value) return null;
    return this.size.value === "other" ? [Number(this.width.value), Number(this.height.value)] : this.size.value.split("x").map(Number);
  }

  // Only what the model has is asked for.
  get value() {
    const typed = (row, field) => (row.hidden || field.value.trim() === "" ? null : Number(field.value));
    return {
      model: this.chosen.name,
      prompt: this.prompt.value,
      negative: this.negative.hidden ? "" : this.negative.value,
      n: Math.max(1, Math.round(Number(this.n.value)) || 1),
      seed: /^[0-9]{1,19}$/.test(this.seed.value.trim()) ? this.seed.value.trim() : "0",
      size: this.sized,
      steps: typed(this.rows.steps, this.steps),
      guidance: typed(this.rows.guidance, this.guidance),
      sampler: this.rows.sampler.hidden ? "" : this.sampler.value,
      strength: this.rows.strength.hidden ? null : (this.touched ?? null),
    };
  }

  // Fill the form with an earlier request; what it does not say is as usual.
  set(words) {
    if ("seed" in words) {
      this.seed.value = words.seed;
      this.rolls.checked = false;
    }
    if ("n" in words) this.n.value = words.n;
    if (!("prompt" in words) && Object.keys(words).every((name) => name === "seed" || name === "n")) return;
    this.prompt.value = words.prompt ?? "";
    this.negative.value = words.negative ?? "";
    this.steps.value = words.steps ?? "";
    this.guidance.value = words.guidance ?? "";
    this.sampler.value = words.sampler ?? "";
    if (this.sampler.selectedIndex < 0) this.sampler.selectedIndex = 0;
    this.touched = words.strength;
    if (words.strength !== undefined) this.strength.value = words.strength;
    const [width, height] = words.size ?? [];
    this.size.value = words.size ? `${width}x${height}` : "";
    if (this.size.selectedIndex < 0) {
      this.size.value = "other";
      Object.assign(this.width, { value: width });
      Object.assign(this.height, { value: height });
    }
    this.changed();
  }
}
