// The Generate page: what is asked, the pictures as they come, and what was asked before.
import { anyOpen, confirm, showKeys } from "/static/dialogs.js";
import { h } from "/static/dom.js";
import { Form } from "/static/generate_form.js";
import { Given } from "/static/generate_given.js";
import { Grid } from "/static/generate_grid.js";
import { Large } from "/static/generate_large.js";
import { Loras } from "/static/generate_loras.js";
import { Past } from "/static/generate_past.js";
import { fourParts, get } from "/static/look.js";
import { nameFields } from "/static/problem.js";
import { Progress } from "/static/progress.js";
import { post } from "/static/search.js";
import { loadWords, number, readJson, say } from "/static/words.js";

const PAUSES = { working: 250, waiting: 700, lost: 1500 }; // milliseconds between two looks at a job
// Options of the command line and what their fields are called here.
const FIELDS = {
  ...Object.fromEntries(["model", "size", "steps", "guidance", "sampler", "seed", "strength"].map((name) => [name, `generate.${name}`])),
  image: "generate.from_image", mask: "generate.mask", control: "generate.control", "control-image": "generate.from_control", reference: "generate.from_reference", negative: "generate.negative_short", lora: "generate.loras",
};

export function openGenerate(root) {
  loadWords(readJson("lucida-words"));
  nameFields(FIELDS);
  const page = new GeneratePage(root, readJson("lucida-generate"));
  window.addEventListener("keydown", (event) => page.key(event));
}

class GeneratePage {
  constructor(root, view) {
    this.root = root;
    this.job = null;
    this.given = new Given(view, () => this.refresh(), (error) => this.say(error));
    this.form = new Form(view, () => this.refresh());
    this.loras = new Loras(view, () => this.refresh(), (error) => this.say(error));
    this.run = h("button", { type: "button", class: "primary go-now", title: say("generate.key_draw"), "aria-keyshortcuts": "Control+Enter", onclick: () => this.start() }, say("generate.draw"));
    this.away = h("p", { class: "soft goes away", hidden: true }, say("generate.remote"));
    this.message = h("div", { class: "message" });
    this.progress = new Progress(() => this.cancel());
    this.grid = new Grid({ open: (at) => this.large.show(this.grid.pictures, at), use: (picture) => this.use(picture), rate: (picture, stars) => this.rate(picture, stars) });
    this.large = new Large({ roles: () => this.given.roles, use: (picture, role) => this.use(picture, role), rate: (picture, stars) => this.rate(picture, stars), again: (picture, run) => this.again(picture, run) });
    this.past = new Past((run) => this.recall(run));
    const help = h("button", { type: "button", class: "plain step", "aria-label": say("review.help"), title: say("review.help"), onclick: () => this.keys() }, "?");
    const asking = h("section", { class: "asking", "aria-label": say("generate.what") }, ...this.form.words, h("div", { class: "go" }, this.run, this.away, help));
    const drawn = h("section", { class: "drawn", "aria-label": say("generate.pictures") }, this.message, this.progress.element, this.grid.element);
    root.replaceChildren(
      h("h1", { class: "unseen" }, say("generate.title")),
      h("div", { class: "main" }, asking, drawn, this.past.element),
      h("aside", { class: "side", "aria-label": say("generate.settings") }, this.form.model, this.form.settings, this.loras.element, this.given.element, this.form.weight),
    );
    this.form.choose();
    this.begin(new URLSearchParams(location.search), view.now);
  }

  // A job goes on without the page, and is found again; from elsewhere an image or a request comes by its name.
  async begin(query, now) {
    this.state("ready");
    const coming = this.past.load();
    const job = query.get("job") ?? now;
    const view = job ? await get(`/api/generate/job/${job}`) : {};
    if (view.job) {
      await this.recall(view.run, view);
      this.follow(view.job);
    } else if (query.get("run")) await this.recall(query.get("run"));
    else {
      this.remember("");
      if (query.get("image")) await this.given.open("image", query.get("image"));
    }
    await coming;
    this.root.dataset.begun = "yes";
  }

  remember(query) {
    history.replaceState(history.state, "", `/generate${query}`);
  }

  say(error) {
    this.message.replaceChildren(...(error ? [fourParts(error)] : []));
  }

  // ---- drawing ------------------------------------------------------------------------------------------------------

  async start() {
    if (this.run.disabled) return;
    this.say(null);
    const { chosen } = this.form;
    if (!chosen.agreed) {
      const text = [`${chosen.licence}.`, chosen.terms].join(" ");
      if (!(await confirm({ title: say("generate.terms", { name: chosen.name }), text, yes: say("generate.agree"), sure: false }))) return;
    }
    this.form.roll();
    const asked = { ...this.form.value, ...this.given.value, loras: this.loras.value, agreed: true };
    this.state("working");
    this.progress.begin();
    this.job = "new";
    this.refresh();
    const view = await post("/api/generate/start", asked);
    if (!view.job) return this.end(() => this.say(view.error));
    chosen.agreed = true;
    this.grid.begin(asked.n, asked.seed);
    // It was given up before it had a name.
    if (!this.job) return void post(`/api/generate/cancel/${view.job}`, {});
    this.shown = view.run;
    this.follow(view.job);
  }

  async follow(job) {
    this.job = job;
    this.state("working");
    this.remember(`?job=${job}`);
    while (this.job === job) {
      const view = await get(`/api/generate/job/${job}?since=${this.grid.count}`);
      if (this.job !== job) return;
      if (view.job) this.grid.add(view.parts, view.notes);
      const ended = { done: () => this.done(view), failed: () => this.fail(view.error), cancelled: () => this.cancelled() }[view.state];
      if (ended) return this.end(ended);
      if (view.error?.error === "UnknownName") return this.end(() => this.fail(view.error));
      if (view.job) this.progress.follow(view);
      else this.progress.say(view.error.what);
      await new Promise((resolve) => setTimeout(resolve, PAUSES[view.state] ?? PAUSES.lost));
    }
  }

  end(then) {
    this.job = null;
    this.progress.hide();
    this.grid.end();
    then();
    this.state("ready");
    this.past.load();
  }

  done({ result, seconds }) {
    const known = result.known && say("generate.known", { count: result.known, known: number(result.known) });
    this.grid.tell([say("generate.done", { count: this.grid.count, pictures: number(this.grid.count), seconds: number(Math.max(0.1, seconds)) }), known]);
  }

  fail(error) {
    this.say(error);
    this.grid.tell([]);
  }

  cancelled() {
    this.grid.tell([this.grid.count ? say("generate.cancelled") : say("generate.cancelled_none")]);
  }

  cancel() {
    const { job } = this;
    this.end(() => this.cancelled());
    if (job && job !== "new") post(`/api/generate/cancel/${job}`, {});
    this.run.focus({ preventScroll: true });
  }

  // ---- pictures that were drawn -------------------------------------------------------------------------------------

  async recall(run, view = null) {
    if (this.job) return this.say({ what: say("generate.busy") });
    const found = await post("/api/generate/recall", { run });
    if (found.error) return this.say(found.error);
    this.say(null);
    await this.fill(found);
    this.shown = run;
    if (view) {
      this.form.set({ seed: view.seed, n: view.n });
      this.grid.begin(view.n, view.seed);
    } else {
      this.remember(`?run=${encodeURIComponent(run)}`);
      this.grid.begin(0, "0");
      this.grid.add(found.pictures, []);
      this.grid.tell([say("generate.earlier_of", { count: found.pictures.length, pictures: number(found.pictures.length) })]);
    }
    // On a phone the window scrolls, elsewhere its part.
    for (const one of [window, this.root.querySelector(".main")]) one.scrollTo({ top: 0 });
  }

  // The form as it was for an earlier request.
  async fill({ model, words, loras, slots, mask, missing, pictures }) {
    await this.form.pick(model);
    this.form.set({ ...words, seed: pictures[0]?.seed ?? "0", n: Math.max(1, pictures.length) });
    this.loras.set(loras);
    this.given.set(slots, words.control ?? "", mask);
    if (missing.length) this.say({ what: say("generate.missing", { images: missing.join(", ") }) });
    this.refresh();
  }

  async again(picture, run) {
    if (this.job) return this.say({ what: say("generate.busy") });
    const found = await post("/api/generate/recall", { run });
    if (found.error) return this.say(found.error);
    await this.fill({ ...found, pictures: [picture] });
    this.grid.tell([say("generate.again_hint")]);
    this.form.prompt.focus();
  }

  async use(picture, role = this.given.roles[0]) {
    await this.given.open(role, picture.id);
    this.given.element.scrollIntoView({ block: "nearest" });
  }

  async rate(picture, stars) {
    // The same stars again take them back.
    const found = await post("/api/generate/rate", { image: picture.id, stars: stars === picture.stars ? 0 : stars });
    if (found.error) return this.say(found.error);
    picture.stars = found.stars;
    this.grid.rated(picture);
    return picture.stars;
  }

  // ---- what is shown ------------------------------------------------------------------------------------------------

  state(name) {
    this.root.dataset.state = name;
    this.refresh();
  }

  refresh() {
    if (!this.past) return; // being made
    const { chosen } = this.form;
    if (chosen) {
      this.given.show(chosen.needs, this.form.sheet);
      this.loras.show(chosen.needs.loras);
      this.form.show(this.given.filled);
    }
    this.grid.usable = this.given.roles.length > 0;
    this.away.hidden = !chosen?.needs.remote;
    this.run.disabled = Boolean(this.job) || !chosen || this.given.busy;
    this.root.dataset.model = chosen?.name ?? "";
  }

  keys() {
    showKeys([
      [["Ctrl ⏎"], say("generate.key_draw")],
      [["D"], say("generate.dice")],
      [["←", "→"], say("generate.key_walk")],
      [["1", "…", "5"], say("generate.key_rate")],
      [["S"], say("generate.key_save")],
      [["B", "E", "G", "Z"], say("generate.key_paint")],
    ]);
  }

  key(event) {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !anyOpen()) {
      event.preventDefault();
      return void this.start();
    }
    if (event.ctrlKey || event.metaKey || event.altKey || anyOpen() || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    const run = { d: () => this.form.dice(), "?": () => this.keys() }[event.key.toLowerCase()];
    if (!run) return;
    event.preventDefault();
    run();
  }
}
