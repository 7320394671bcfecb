// The Look page: one image after the other, what every run said of it, and questions about it.
import { anyOpen, showKeys } from "/static/dialogs.js";
import { h } from "/static/dom.js";
import { Ask } from "/static/look_ask.js";
import { Lists } from "/static/look_lists.js";
import { Said } from "/static/look_said.js";
import { Stage } from "/static/look_stage.js";
import { lines } from "/static/problem.js";
import { address, post } from "/static/search.js";
import { loadWords, number, readJson, say } from "/static/words.js";

const SIDE = 1600; // pixels of the picture at first

export function openLook(root) {
  loadWords(readJson("lucida-words"));
  const page = new LookPage(root, readJson("lucida-look"));
  window.addEventListener("keydown", (event) => page.key(event));
}

export async function get(path) {
  try {
    const response = await fetch(path);
    if (response.status === 403) return { error: { what: say("state.refused") } };
    const found = await response.json();
    return response.ok || found.error ? found : { error: { what: say("find.failed") } };
  } catch {
    return { error: { what: say("find.lost") } };
  }
}

// An error in its four parts.
export function fourParts(error) {
  return h("p", { class: "problem", role: "alert" }, lines(error).join("\n"));
}

class LookPage {
  constructor(root, { models, restore, generate }) {
    this.root = root;
    this.asked = 0; // answers to an earlier move come too late
    this.stage = new Stage();
    this.said = new Said((layers, least, names) => this.stage.draw(layers, least, names));
    this.said.onpoint = (run, label) => this.stage.point(run, label);
    this.ask = new Ask(models, () => this.show(this.at));
    this.lists = new Lists((wanted) => this.open(wanted));
    this.place = h("span", { class: "place-in-list", role: "status" });
    this.name = h("p", { class: "file" });
    const onward = (there, page, title, text) => (there ? [h("a", { class: "plain", title, "data-page": page, hidden: true }, text)] : []);
    this.onward = [...onward(restore, "/restore", say("look.restore_hint"), say("look.restore")), ...onward(generate, "/generate", say("look.generate_hint"), say("look.generate"))];
    const step = (sign, name, by, key) => h("button", { type: "button", class: "plain step", "aria-label": name, title: name, "aria-keyshortcuts": key, onclick: () => this.move(by) }, sign);
    this.back = step("←", say("look.previous"), -1, "ArrowLeft");
    this.on = step("→", say("look.next"), 1, "ArrowRight");
    const zoom = (sign, name, run) => h("button", { type: "button", class: "plain step", "aria-label": name, title: name, onclick: run }, sign);
    this.bar = h(
      "div",
      { class: "walk" },
      this.back,
      this.on,
      this.place,
      this.name,
      ...this.onward,
      h("div", { class: "zooms" }, zoom("－", say("look.smaller"), () => this.stage.zoom(1 / 1.5)), zoom("＋", say("look.larger"), () => this.stage.zoom(1.5)), zoom("⤢", say("look.fit"), () => this.stage.fit()), zoom("?", say("review.help"), () => this.keys())),
    );
    this.message = h("div", { class: "message" });
    root.replaceChildren(
      h("h1", { class: "unseen" }, say("look.title")),
      h("div", { class: "main" }, this.lists.element, this.bar, this.message, this.stage.element),
      h("aside", { class: "side", "aria-label": say("look.said") }, this.said.element, this.ask.element, this.lists.queue),
    );
    const given = new URLSearchParams(location.search);
    const wanted = { where: given.getAll("where"), screen: given.get("screen") ?? "", verdict: given.get("verdict") ?? "", search: given.get("search") ?? "", image: given.get("image") ?? "" };
    this.open(wanted);
    this.lists.load();
  }

  async open(wanted) {
    const asked = (this.asked += 1);
    let found = await post("/api/look/open", wanted);
    // A search is forgotten when the program ends: its image is still there.
    if (found.error && wanted.search) found = await post("/api/look/open", (wanted = { ...wanted, search: "" }));
    if (asked !== this.asked) return;
    if (found.error) return this.fail(found.error);
    this.list = found.list;
    this.wanted = { ...wanted, verdict: wanted.screen ? found.verdict : "" };
    this.lists.mark(this.wanted, found.count);
    if (!found.count) return this.fail({ what: say(wanted.screen || wanted.where.length ? "look.none" : "find.empty") });
    await this.show(found.at);
  }

  async show(at) {
    const asked = (this.asked += 1);
    this.root.dataset.state = "working";
    const view = await get(`/api/look/${this.list}/${at}`);
    if (asked !== this.asked) return;
    // The program was started again: the list is opened anew where it was left.
    if (view.error?.error === "UnknownName") return this.open({ ...this.wanted, image: this.image ?? "" });
    if (view.error) return this.fail(view.error);
    this.message.replaceChildren();
    this.at = at;
    this.image = view.image;
    this.count = view.count;
    this.place.textContent = say("look.place", { at: number(at + 1), all: number(view.count) });
    this.name.textContent = view.name;
    this.name.title = view.path;
    for (const link of this.onward) Object.assign(link, { href: `${link.dataset.page}?image=${view.image}`, hidden: false });
    this.back.disabled = at === 0;
    this.on.disabled = at === view.count - 1;
    this.stage.show(view, address(view.image, SIDE), address(view.image, 4000));
    this.said.show(view);
    this.ask.show(view.image);
    this.remember();
    for (const image of view.next) new Image().src = address(image, SIDE);
    this.root.dataset.state = "ready";
    this.root.dataset.image = view.image;
  }

  remember() {
    const query = new URLSearchParams();
    for (const condition of this.wanted.where) query.append("where", condition);
    for (const name of ["screen", "verdict", "search"]) if (this.wanted[name]) query.set(name, this.wanted[name]);
    query.set("image", this.image);
    history.replaceState(history.state, "", `/look?${query}`);
  }

  move(by) {
    const at = this.at + by;
    if (this.at !== undefined && at >= 0 && at < this.count) this.show(at);
  }

  fail(error) {
    this.message.replaceChildren(fourParts(error));
    this.root.dataset.state = "ready";
    this.place.textContent = "";
    this.name.textContent = "";
    for (const link of this.onward) link.hidden = true;
    this.back.disabled = this.on.disabled = true;
    this.at = undefined;
    this.stage.clear();
    this.said.show({ said: [] });
    this.ask.show(null);
  }

  keys() {
    showKeys([
      [["←", "→"], say("look.key_move")],
      [["1 – 9"], say("look.key_runs")],
      [["H"], say("look.key_hide")],
      [["+", "-", "0"], say("look.key_zoom")],
      [["/"], say("look.key_ask")],
    ]);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || anyOpen() || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    const run = {
      arrowleft: () => this.move(-1),
      arrowright: () => this.move(1),
      h: () => this.said.hide(),
      "+": () => this.stage.zoom(1.5),
      "=": () => this.stage.zoom(1.5),
      "-": () => this.stage.zoom(1 / 1.5),
      0: () => this.stage.fit(),
      "/": () => this.ask.focus(),
      "?": () => this.keys(),
    }[event.key.toLowerCase()];
    if (run) run();
    else if (/^[1-9]$/.test(event.key)) this.said.toggle(Number(event.key) - 1);
    else return;
    event.preventDefault();
  }
}
