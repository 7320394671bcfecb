// One picture, large, with its seed and request, and what can be done with it.
import { h } from "/static/dom.js";
import { address } from "/static/generate_grid.js";
import { fourParts, get } from "/static/look.js";
import { Stage } from "/static/look_stage.js";
import { Stars } from "/static/stars.js";
import { number, say } from "/static/words.js";

const SIDE = 4096;
const ROLES = { image: () => say("generate.use_image"), control_image: () => say("generate.use_control"), reference: () => say("generate.use_reference") };
const NAMES = {
  prompt: () => say("generate.prompt_short"), negative: () => say("generate.negative_short"), size: () => say("generate.size"), steps: () => say("generate.steps"), guidance: () => say("generate.guidance"),
  sampler: () => say("generate.sampler"), strength: () => say("generate.strength"), control: () => say("generate.control"),
};
// What a model tells of how a picture came about; the rest stands under its own name.
const TOLD = { ...NAMES, class: () => say("generate.class"), method: () => say("generate.method"), engine: () => say("generate.engine"), cost: () => say("generate.cost"), revised_prompt: () => say("generate.revised") };

export class Large {
  // acts: { roles(), use(picture, role), rate(picture, stars), again(picture, run) }.
  constructor(acts) {
    this.acts = acts;
  }

  show(pictures, at) {
    this.pictures = pictures;
    this.stage = new Stage();
    this.facts = h("div", { class: "facts" });
    const step = (sign, name, by) => h("button", { type: "button", class: "plain step", "aria-label": name, title: name, onclick: () => this.move(by) }, sign);
    this.place = h("span", { class: "place-in-list", role: "status" });
    const close = h("button", { type: "button", class: "plain step", "aria-label": say("review.close"), title: say("review.close"), onclick: () => this.dialog.close() }, "✕");
    this.bar = h("div", { class: "walk" }, step("←", say("generate.previous"), -1), step("→", say("generate.next"), 1), this.place, close);
    this.dialog = h("dialog", { class: "large look", "aria-label": say("generate.large") }, h("div", { class: "main" }, this.stage.element), h("div", { class: "side" }, this.bar, this.facts));
    this.dialog.addEventListener("close", () => this.dialog.remove());
    this.dialog.addEventListener("keydown", (event) => this.key(event));
    document.body.append(this.dialog);
    this.dialog.showModal();
    this.at = at;
    this.move(0);
  }

  get picture() {
    return this.pictures[this.at];
  }

  async move(by) {
    const { length } = this.pictures;
    this.at = (this.at + by + length) % length;
    const { picture } = this;
    this.place.textContent = `${number(this.at + 1)} / ${number(length)}`;
    this.stage.show({ width: picture.width, height: picture.height, path: picture.seed }, address(picture, SIDE));
    this.dialog.dataset.image = picture.id;
    this.facts.replaceChildren();
    const story = await get(`/api/generate/story/${picture.id}?seed=${picture.seed}`);
    if (this.picture === picture) this.tell(picture, story);
  }

  tell(picture, story) {
    if (story.error) return this.facts.replaceChildren(fourParts(story.error));
    const { request, loras, detail } = story;
    this.stars = new Stars(picture.stars ?? 0, (given) => this.rate(given));
    const button = (text, onclick, title) => h("button", { type: "button", class: "plain", title, onclick: () => { this.dialog.close(); onclick(); } }, text);
    const said = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, Array.isArray(value) ? value.join(" × ") : String(value)));
    const rows = Object.entries(NAMES).filter(([name]) => name in request && name !== "size").map(([name, title]) => said(title(), request[name]));
    if (loras.length) rows.push(said(say("generate.loras"), loras.map(({ title, weight }) => say("generate.lora_of", { name: title, weight: number(weight) })).join("\n")));
    const more = Object.entries(detail).filter(([name, value]) => !(name in request) && ["string", "number"].includes(typeof value)).map(([name, value]) => said(TOLD[name]?.() ?? name, value));
    this.facts.replaceChildren(
      h("div", { class: "rate" }, this.stars.element),
      h("dl", {}, ...rows.slice(0, 1), said(say("generate.model"), story.model), said(say("generate.seed"), story.seed), said(say("generate.size"), [picture.width, picture.height]), ...rows.slice(1), ...more),
      h("div", { class: "deeds" },
        h("a", { class: "primary download", href: `/api/generate/file/${picture.id}`, download: "" }, say("restore.download")),
        button(say("generate.again"), () => this.acts.again(picture, story.run), say("generate.again_hint")),
        ...this.acts.roles().map((role) => button(ROLES[role](), () => this.acts.use(picture, role))),
        h("a", { class: "plain", href: `/restore?image=${picture.id}` }, say("generate.restore")),
      ),
    );
    this.dialog.dataset.told = picture.id;
  }

  async rate(stars) {
    const { picture } = this;
    const now = await this.acts.rate(picture, stars);
    if (now !== undefined && this.picture === picture) this.stars.show(now);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const star = /^[1-5]$/.test(event.key) ? () => this.rate(Number(event.key)) : null;
    const run = { ArrowLeft: () => this.move(-1), ArrowRight: () => this.move(1), "+": () => this.stage.zoom(1.5), "-": () => this.stage.zoom(1 / 1.5), 0: () => this.stage.fit(), s: () => this.facts.querySelector(".download")?.click() }[event.key] ?? star;
    if (!run) return;
    event.preventDefault();
    event.stopPropagation();
    run();
  }
}
