// The Search page: what is looked for, the results, and where relevance ends.
import { anyOpen } from "/static/dialogs.js";
import { h } from "/static/dom.js";
import { lines } from "/static/problem.js";
import { Ending } from "/static/search_end.js";
import { Query } from "/static/search_query.js";
import { loadWords, number, readJson, say } from "/static/words.js";

const COUNT = 60; // results at first, and as many more at a time
const MOST = 600;

export function openSearch(root) {
  loadWords(readJson("lucida-words"));
  const page = new SearchPage(root, readJson("lucida-search"));
  window.addEventListener("keydown", (event) => page.key(event));
}

class SearchPage {
  constructor(root, view) {
    this.look = view.look; // whether there is a page to look at one image
    this.asked = 0; // answers to an earlier search come too late
    this.query = new Query(view, () => this.search());
    this.ending = new Ending((image, relevant) => this.mark(image, relevant), (claim) => this.line(claim));
    this.status = h("p", { class: "soft status", role: "status" });
    this.notes = h("div", { class: "notes" });
    this.list = h("ol", { class: "results" });
    this.more = h("button", { type: "button", class: "plain more", hidden: true, onclick: () => this.search(this.cards.size + COUNT) }, say("find.more"));
    this.cards = new Map();
    root.replaceChildren(this.query.element, this.status, this.ending.element, this.list, this.more, this.notes);
    this.status.textContent = view.images ? say("find.before", { images: number(view.images) }) : say("find.empty");
    root.dataset.state = "ready";
    this.root = root;
    this.query.focus();
  }

  async search(top = COUNT) {
    const asked = (this.asked += 1);
    if (this.query.empty) return this.clear();
    this.root.dataset.state = "working";
    this.status.textContent = say("find.working");
    const found = await post("/api/search", { ...this.query.value, top: Math.min(top, MOST) });
    if (asked !== this.asked) return;
    this.root.dataset.state = "ready";
    if (found.error) return this.fail(found.error);
    this.draw(found, top);
  }

  clear() {
    this.list.replaceChildren();
    this.cards.clear();
    this.ending.close();
    this.more.hidden = true;
    this.status.textContent = "";
    this.notes.replaceChildren();
  }

  fail(error) {
    this.clear();
    this.status.textContent = lines(error).join("\n");
  }

  draw(found, top) {
    const values = { count: found.results.length === 1 ? 1 : number(found.results.length), images: number(found.images), seconds: found.seconds.toFixed(2) };
    this.status.textContent = found.results.length ? say("find.count", values) : say(found.images ? "find.none" : "find.none_fit");
    this.cards = new Map(found.results.map((result, at) => [result.image, this.card(result, at, found.search)]));
    this.list.replaceChildren(...this.cards.values());
    this.more.hidden = found.results.length < top || found.results.length >= Math.min(found.ranked, MOST);
    this.notes.replaceChildren(...found.notes.map((note) => h("p", { class: "soft" }, note)));
    this.ending.open(found.search, found.results.length > 1);
  }

  card(result, at, search) {
    const large = this.look ? { href: `/look?search=${search}&image=${result.image}` } : { href: address(result.image, 1600), target: "_blank", rel: "noopener" };
    const picture = h("img", { src: address(result.image, 320), alt: say("review.image", { path: result.path }), loading: "lazy", decoding: "async", draggable: "false" });
    picture.addEventListener("error", () => picture.replaceWith(h("span", { class: "broken" }, "×")));
    const use = (part) => () => this.query.add(part, result);
    const judge = (relevant) => () => this.ending.answer(result.image, relevant);
    const why = result.found.map((one) => said(one)).join(" · ");
    return h(
      "li",
      { class: "result", "data-image": result.image },
      h("button", { type: "button", class: "thumb", "aria-label": say("find.more_like", { name: result.name }), title: say("find.more_like", { name: result.name }), onclick: use("like") }, picture),
      h("p", { class: "file", title: result.path }, h("span", { class: "rank" }, number(at + 1)), " ", result.name),
      h("p", { class: "why", title: why }, why),
      h(
        "div",
        { class: "acts" },
        act("＋", say("find.like"), use("like")),
        act("－", say("find.unlike"), use("unlike")),
        h("a", { class: "act", ...large, title: say("find.large"), "aria-label": say("find.large") }, "⤢"),
        h("span", { class: "gap" }),
        act("✓", say("find.relevant"), judge(true), "yes"),
        act("✕", say("find.irrelevant"), judge(false), "no"),
      ),
    );
  }

  mark(image, relevant) {
    const card = this.cards.get(image);
    if (!card) return;
    card.dataset.answer = relevant ? "yes" : "no";
    for (const name of ["yes", "no"]) card.querySelector(`.act.${name}`).setAttribute("aria-pressed", (name === "yes") === relevant);
  }

  // Draw the line that the claim is about, behind as many results.
  line({ results }) {
    this.list.querySelector(".line")?.remove();
    const card = [...this.cards.values()][results - 1];
    if (card) card.after(h("li", { class: "line", role: "separator" }, h("span", {}, say("find.line", { results: number(results) }))));
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || anyOpen() || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    const run = { "/": () => this.query.focus(), y: () => this.ending.reply(true), n: () => this.ending.reply(false) }[event.key.toLowerCase()];
    if (!run) return;
    event.preventDefault();
    run();
  }
}

function said({ by, rank, score, why }) {
  const name = { image: say("find.by_image"), words: say("find.by_words"), "image and words": say("find.by_both"), text: say("find.by_text") }[by] ?? by;
  return by === "text" ? `${name} ${number(rank)}: ${why}` : `${name} ${number(rank)} (${why || score.toFixed(2)})`;
}

function act(sign, name, onclick, className = "") {
  return h("button", { type: "button", class: `act ${className}`, "aria-label": name, title: name, onclick }, sign);
}

export function address(image, side) {
  return `/api/search/picture/${image}?side=${side}`;
}

export async function post(path, body, signal) {
  try {
    const response = await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal });
    if (response.status === 403) return { error: { what: say("state.refused") } };
    const found = await response.json();
    return response.ok || found.error ? found : { error: { what: say("find.failed") } };
  } catch {
    return signal?.aborted ? { cancelled: true } : { error: { what: say("find.lost") } };
  }
}
