// The Restore page: an image is dropped, what is to be done is chosen, and before and after are compared.
import { anyOpen, showKeys } from "/static/dialogs.js";
import { h } from "/static/dom.js";
import { fourParts, get } from "/static/look.js";
import { openedFrom, upload } from "/static/opening.js";
import { nameFields } from "/static/problem.js";
import { Filling } from "/static/restore_fill.js";
import { Compare } from "/static/restore_stage.js";
import { Wishes } from "/static/restore_wish.js";
import { size, Work } from "/static/restore_work.js";
import { post } from "/static/search.js";
import { loadWords, number, percent, readJson, say } from "/static/words.js";

const PAUSES = { working: 250, waiting: 700, lost: 1500 }; // milliseconds between two looks at a job

export function openRestore(root) {
  loadWords(readJson("lucida-words"));
  nameFields({ upscale: "restore.upscale", denoise: "restore.denoise", fill: "restore.remove", model: "restore.model" });
  const page = new RestorePage(root, readJson("lucida-restore"));
  window.addEventListener("keydown", (event) => page.key(event));
}

class RestorePage {
  constructor(root, view) {
    this.root = root;
    this.view = view;
    this.image = null;
    this.job = null;
    this.file = h("input", { type: "file", accept: "image/*,.heic,.heif,.avif,.tif,.tiff", hidden: true, onchange: () => this.open([...this.file.files]) });
    this.stage = new Compare(() => this.refresh());
    this.filling = new Filling(this.stage, () => this.refresh());
    this.run = h("button", { type: "button", class: "primary go-now", onclick: () => this.start() }, say("restore.run"));
    this.wishes = new Wishes(view, () => this.refresh());
    this.work = new Work(() => this.cancel(), (result) => this.take(result));
    this.message = h("div", { class: "message" });
    this.drop = h(
      "div",
      { class: "drop" },
      h("p", { class: "drop-title" }, say("restore.drop")),
      h("button", { type: "button", class: "primary", onclick: () => this.file.click() }, say("restore.choose")),
      h("p", { class: "soft" }, say("restore.ways")),
    );
    this.stage.element.append(this.drop, this.filling.bar);
    root.replaceChildren(
      h("h1", { class: "unseen" }, say("restore.title")),
      h("div", { class: "main" }, this.toolbar(), this.message, this.stage.element),
      h("aside", { class: "side", "aria-label": say("restore.what") }, this.wishes.element, this.filling.element, h("div", { class: "go" }, this.run), this.work.element),
      this.file,
    );
    openedFrom((files) => this.open(files), (on) => root.classList.toggle("over", on));
    this.begin(new URLSearchParams(location.search));
  }

  toolbar() {
    const button = (sign, name, run, key) => h("button", { type: "button", class: "plain step", "aria-label": name, title: name, "aria-keyshortcuts": key, onclick: run }, sign);
    this.name = h("p", { class: "file" });
    this.another = h("button", { type: "button", class: "plain", onclick: () => this.file.click() }, say("restore.another"));
    this.nearest = button("▦", say("restore.pixels"), () => this.stage.pixels(), "P");
    this.percent = h("button", { type: "button", class: "plain percent", title: say("restore.exact"), "aria-keyshortcuts": "F", onclick: () => this.stage.exactly() });
    this.zooms = h("div", { class: "zooms" }, this.nearest, button("－", say("look.smaller"), () => this.stage.zoom(1 / 1.5), "-"), this.percent, button("＋", say("look.larger"), () => this.stage.zoom(1.5), "+"), button("⤢", say("look.fit"), () => this.stage.fit(), "0"), button("?", say("review.help"), () => this.keys()));
    return h("div", { class: "walk" }, this.another, this.name, this.zooms);
  }

  // ---- the image ----------------------------------------------------------------------------------------------------

  // From Look an image comes by its name; a job is found again when the page is loaded anew.
  async begin(given) {
    this.state("ready");
    const [image, job] = [given.get("image"), given.get("job")];
    if (job) {
      const view = await get(`/api/restore/job/${job}`);
      if (view.job) return this.resume(view);
    }
    if (image) this.settle(await this.opening(post("/api/restore/open", { image })));
    else this.remember();
  }

  async resume(view) {
    await this.take(view.source);
    this.follow(view.job);
  }

  opening(coming) {
    this.state("opening");
    return coming;
  }

  async open(files) {
    this.file.value = "";
    if (!files.length) return;
    if (this.job) return this.say({ what: say("restore.busy") });
    this.settle(await this.opening(upload("/api/restore/upload", files[0], this.view.bytes)), files.length);
  }

  async settle(found, files = 1) {
    if (found.error) {
      this.state("ready");
      return this.say(found.error);
    }
    await this.take(found);
    if (files > 1) this.say({ what: say("restore.only_first", { files: number(files) }) });
  }

  async take(image) {
    this.say(null);
    this.work.clear();
    this.image = image;
    this.result = null;
    this.remember();
    const facts = [say("restore.size", { width: number(image.width), height: number(image.height) }), image.format, size(image.bytes), image.frames > 1 && say("restore.frames", { frames: number(image.frames) })];
    this.name.textContent = `${image.name} · ${facts.filter(Boolean).join(" · ")}`;
    this.name.title = image.name;
    delete this.root.dataset.result;
    await this.stage.open(image);
    this.state("ready");
    this.root.dataset.image = image.token;
  }

  remember() {
    const query = this.job ? `?job=${this.job}` : "";
    history.replaceState(history.state, "", `/restore${query}`);
  }

  say(error) {
    this.message.replaceChildren(...(error ? [fourParts(error)] : []));
  }

  // ---- the job ------------------------------------------------------------------------------------------------------

  async start() {
    if (this.run.disabled) return;
    this.say(null);
    this.filling.close();
    this.state("working");
    this.work.begin();
    this.job = "new";
    this.refresh();
    const view = await post("/api/restore/start", { source: this.image.token, ...this.wishes.value, mask: this.stage.mask });
    if (!view.job) return this.end(() => this.work.fail(view.error));
    // It was given up before it had a name.
    if (!this.job) return void post(`/api/restore/cancel/${view.job}`, {});
    this.follow(view.job);
  }

  async follow(job) {
    this.job = job;
    this.state("working");
    this.remember();
    while (this.job === job) {
      const view = await get(`/api/restore/job/${job}`);
      if (this.job !== job) return;
      const ended = { done: () => this.show(view.result), failed: () => this.work.fail(view.error), cancelled: () => this.work.cancelled() }[view.state];
      if (ended) return this.end(ended, view.state === "done");
      if (view.error?.error === "UnknownName") return this.end(() => this.work.fail(view.error));
      if (view.job) this.work.follow(view);
      else this.work.lost(view.error.what);
      await new Promise((resolve) => setTimeout(resolve, PAUSES[view.state] ?? PAUSES.lost));
    }
  }

  async end(then, keep = false) {
    if (!keep) this.job = null;
    this.remember();
    this.job = null;
    await then();
    this.state("ready");
  }

  async show(result) {
    this.work.done(result);
    this.result = result;
    await this.stage.restored(result);
    this.root.dataset.result = result.token;
  }

  async cancel() {
    const { job } = this;
    await this.end(() => this.work.cancelled());
    if (job && job !== "new") post(`/api/restore/cancel/${job}`, {});
    this.run.focus({ preventScroll: true });
  }

  // ---- what is shown ------------------------------------------------------------------------------------------------

  state(name) {
    this.root.dataset.state = name;
    this.refresh();
  }

  refresh() {
    if (!this.work || !this.zooms) return; // being made
    const idle = this.root.dataset.state === "ready";
    const { image, stage } = this;
    const masked = Boolean(stage.mask);
    if (this.wishes.image !== image || this.wishes.masked !== masked) return this.wishes.show(image, masked);
    this.drop.hidden = Boolean(image) || !idle;
    this.another.hidden = this.zooms.hidden = !image;
    this.another.disabled = Boolean(this.job);
    this.percent.textContent = percent(stage.size, 0);
    this.nearest.setAttribute("aria-pressed", String(stage.nearest));
    this.filling.refresh(Boolean(image) && !this.job, this.wishes.can("fill"));
    this.run.disabled = !image || !idle || this.wishes.empty;
    this.run.title = image && this.wishes.empty ? say("restore.nothing") : "";
  }

  keys() {
    showKeys([
      [["O"], say("restore.key_open")],
      [["1", "…", "4"], say("restore.key_scale")],
      [["R"], say("restore.key_run")],
      [["←", "→"], say("restore.key_slide")],
      [["+", "-", "0", "F"], say("restore.key_zoom")],
      [["⇧ ← ↑ → ↓"], say("restore.key_pan")],
      [["P"], say("restore.pixels")],
      [["M"], say("restore.fill")],
      [["B", "E", "G"], say("restore.key_tools")],
      [["[", "]"], say("paint.key_size")],
      [["Z"], say("paint.key_undo")],
      [["S"], say("restore.key_save")],
    ]);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || anyOpen() || takes(event)) return;
    const run = this.filling.keys[event.key.toLowerCase()] ?? this.usual(event);
    if (!run || (!this.image && event.key !== "o" && event.key !== "?") || run() === false) return;
    event.preventDefault();
  }

  usual({ key, shiftKey, target }) {
    const { stage } = this;
    const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    if (arrow && shiftKey) return () => stage.pan(0.15 * arrow[0], 0.15 * arrow[1]);
    if (arrow) return arrow[0] && stage.compares ? () => stage.step(arrow[0]) : null;
    const onDivider = target === stage.divider;
    return {
      Home: onDivider && (() => stage.slide(0)),
      End: onDivider && (() => stage.slide(1)),
      "+": () => stage.zoom(1.5),
      "=": () => stage.zoom(1.5),
      "-": () => stage.zoom(1 / 1.5),
      0: () => stage.fit(),
      f: () => stage.exactly(),
      p: () => stage.pixels(),
      o: () => this.file.click(),
      r: () => this.start(),
      s: () => this.root.querySelector(".download")?.click(),
      "?": () => this.keys(),
      ...Object.fromEntries(["1", "2", "3", "4"].map((digit) => [digit, () => this.wishes.key(digit)])),
    }[key.length === 1 ? key.toLowerCase() : key];
  }
}

// Whether a key belongs to the field that has the focus.
function takes({ target, key }) {
  if (target.tagName === "INPUT") return /^(Arrow|Home|End|Page| )/.test(key);
  return target.tagName === "SELECT";
}
