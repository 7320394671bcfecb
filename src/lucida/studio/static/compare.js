// The page of differences: a list that loads as it is read, filtered by who is right, moved through by keys.
import { anyOpen, showKeys } from "/static/dialogs.js";
import { h, keyButton } from "/static/dom.js";
import { loadWords, number, percent, readJson, say, sure } from "/static/words.js";

const COUNT = 40; // images asked for at a time
const NEAR = "900px"; // how far below the window the next ones are asked for
const KINDS = ["", "a", "b", "neither", "open"];

export function openCompare(root) {
  loadWords(readJson("lucida-words"));
  const view = readJson("lucida-differences");
  const list = new List(view);
  const filter = h("div", { class: "kinds", role: "group", "aria-label": say("compare.kinds") });
  const choose = (kind) => {
    for (const button of filter.children) button.setAttribute("aria-pressed", button.dataset.kind === kind);
    list.choose(kind);
  };
  filter.append(...KINDS.map((kind, i) => kindButton(kind, i, view.counts[kind], choose)));
  const keys = () => showKeys(keyTable(view.alone));
  const close = async () => {
    await fetch("/api/compare/end", { method: "POST" }).catch(() => {});
    globalThis.socket?.disconnect();
    document.querySelector(".bar")?.classList.add("left");
    root.replaceChildren(h("p", { class: "closed", role: "status" }, say("compare.closed")));
  };
  const tools = h(
    "div",
    { class: "tools" },
    keyButton({ text: say("review.help"), key: "?", onclick: keys, className: "plain keys-button" }),
    view.alone ? keyButton({ text: say("compare.close"), key: "P", onclick: close, className: "plain" }) : null,
  );
  root.replaceChildren(heading(view), h("div", { class: "filter" }, filter, tools), list.status, list.element, list.end);
  list.begin(view.rows);
  choose("");
  listen(list, { choose, keys, close: view.alone ? close : null });
  root.dataset.state = "ready";
}

// ---- above the list ------------------------------------------------------------------------------------------------

function heading(view) {
  const { low, high, confidence } = view.difference;
  const verdict = { "A better": say("compare.better_a"), "B better": say("compare.better_b") }[view.verdict];
  const values = { images: number(view.images), low: points(low), high: points(high), confidence: percent(confidence) };
  return h(
    "header",
    { class: "summary" },
    h("h1", {}, verdict ?? say("compare.unknown")),
    h("p", { class: "between" }, say("compare.between", values)),
    h("p", { class: "soft" }, say("compare.differ", { differ: number(view.differ), images: number(view.images) })),
    h("div", { class: "runs" }, ...["a", "b"].map((side) => runCard(side, view[side], view.reviewed.images))),
    notes(view),
  );
}

function runCard(side, run, total) {
  const told = run.instructions;
  const instructions = told && (told.version ? say("compare.version", told) : told.name);
  const facts = [instructions, run.cost === null ? null : `$${run.cost.toFixed(2)}`].filter(Boolean).join(" · ");
  const right = total ? say("compare.right", { right: number(run.right), total: number(total) }) : say("compare.unreviewed");
  return h(
    "div",
    { class: "run" },
    h("span", { class: `side ${side}` }, side.toUpperCase()),
    h("div", {}, h("strong", {}, run.model || run.verb), facts ? h("p", { class: "soft" }, facts) : null, h("p", { class: "soft" }, run.run)),
    h("p", { class: "right" }, right),
  );
}

function notes(view) {
  const lines = [
    view.reviewed.taught ? say("compare.chosen") : null,
    view.reviewed.images ? say("compare.seen") : null,
    view.excluded ? say("compare.excluded", { count: number(view.excluded) }) : null,
    view.early ? say("compare.early", { count: number(view.early) }) : null,
    view.simulation ? say("compare.simulation") : null,
  ].filter(Boolean);
  if (!lines.length) return null;
  return h("details", { class: "notes" }, h("summary", {}, say("compare.notes")), ...lines.map((line) => h("p", {}, line)));
}

function kindButton(kind, i, count, choose) {
  const text = [say("compare.all"), say("compare.kind_a"), say("compare.kind_b"), say("compare.kind_neither"), say("compare.kind_open")][i];
  const button = keyButton({ text, key: String(i + 1), onclick: () => choose(kind) });
  button.dataset.kind = kind;
  button.append(h("small", {}, number(count)));
  return button;
}

function points(share) {
  return new Intl.NumberFormat(document.documentElement.lang || "en", { signDisplay: "exceptZero", maximumFractionDigits: 1 }).format(100 * share);
}

// ---- the list ------------------------------------------------------------------------------------------------------

class List {
  constructor({ counts }) {
    this.counts = counts;
    this.kind = null;
    this.rows = 0;
    this.asked = 0; // answers to an earlier filter come too late
    this.element = h("ol", { class: "differences" });
    this.status = h("p", { class: "soft status", role: "status" });
    this.end = h("div", { class: "more-to-come", "aria-hidden": "true" });
    new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && this.more(), { rootMargin: NEAR }).observe(this.end);
  }

  // The rows that came with the page: the first of all kinds.
  begin(rows) {
    this.given = rows;
  }

  choose(kind) {
    if (kind === this.kind) return;
    this.kind = kind;
    this.rows = 0;
    this.asked += 1;
    this.waiting = false;
    this.element.replaceChildren();
    const count = this.counts[kind];
    this.status.textContent = count
      ? say("compare.count", { count: count === 1 ? 1 : number(count) })
      : say(this.counts[""] ? "compare.empty" : "compare.same");
    if (kind === "" && this.given) this.add(this.given);
    this.more();
  }

  async more() {
    if (this.kind === null || this.waiting || this.rows >= this.counts[this.kind]) return;
    // Only what is near the window: a catalog may hold thousands.
    if (this.rows && this.end.getBoundingClientRect().top > innerHeight + parseInt(NEAR)) return;
    const asked = this.asked;
    this.waiting = true;
    try {
      const response = await fetch(`/api/compare?kind=${this.kind}&start=${this.rows}&count=${COUNT}`);
      if (!response.ok) throw new Error(response.statusText);
      const rows = await response.json();
      if (asked !== this.asked) return;
      this.waiting = false;
      if (!rows.length) return; // answered meanwhile: there are fewer of this kind now
      this.add(rows);
      this.more();
    } catch {
      if (asked === this.asked) this.status.textContent = say("compare.failed");
    }
  }

  add(rows) {
    this.element.append(...rows.map((row) => card(row)));
    this.rows += rows.length;
    this.element.dataset.rows = this.rows;
  }

  // Move to another card: by so many, or to the first or the last.
  move(step) {
    const cards = this.element.children;
    if (!cards.length) return;
    const at = [...cards].indexOf(document.activeElement.closest?.(".difference"));
    const next = cards[Math.max(0, Math.min(at < 0 ? (step < 0 ? cards.length - 1 : 0) : at + step, cards.length - 1))];
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }

  current() {
    return document.activeElement.closest?.(".difference");
  }
}

function card(row) {
  const image = h("img", { src: row.url, alt: say("review.image", { path: row.path }), loading: "lazy", decoding: "async", draggable: "false" });
  image.addEventListener("error", () => image.replaceWith(h("span", { class: "broken" }, "×")));
  return h(
    "li",
    { class: "difference", tabindex: "-1", "data-kind": row.kind },
    h("button", { type: "button", class: "thumb", "aria-label": say("review.enlarge"), onclick: () => enlarge(row) }, image),
    h(
      "div",
      { class: "words" },
      person(row),
      words("a", row.a, row.kind === "a"),
      words("b", row.b, row.kind === "b"),
      h("p", { class: "file", title: row.path }, row.path.split(/[\\/]/).pop()),
    ),
  );
}

function person(row) {
  if (row.kind === "open") return h("p", { class: "person soft" }, say("compare.kind_open"));
  const label = h("strong", {}, row.label ?? say("compare.none"));
  return h("p", { class: "person" }, h("span", { class: "soft" }, say("compare.yours")), " ", label);
}

function words(side, { label, score, reason, by, agree, said }, right) {
  const more = [];
  if (agree) more.push(say("compare.agree", { k: number(agree[0]), n: number(agree[1]) }));
  const values = { by: by || say("compare.the_model"), label: said, reason };
  if (reason) more.push(said ? say("compare.said", values) : by ? say("compare.reason_by", values) : reason);
  return h(
    "div",
    { class: right ? "said right" : "said" },
    h("span", { class: `side ${side}` }, side.toUpperCase()),
    h("strong", { class: "label" }, label),
    score === null ? null : h("span", { class: "score" }, sure(score)),
    right ? h("span", { class: "tick", role: "img", "aria-label": say("review.accept") }) : null,
    more.length ? h("p", { class: "because" }, more.join(" · ")) : null,
  );
}

function enlarge(row) {
  const dialog = h(
    "dialog",
    { class: "enlarged", "aria-label": row.path },
    h("img", { src: row.url, alt: say("review.image", { path: row.path }) }),
    h("p", { class: "soft" }, row.path),
  );
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", () => dialog.close());
  document.body.append(dialog);
  dialog.showModal();
}

// ---- keys ----------------------------------------------------------------------------------------------------------

function listen(list, { choose, keys, close }) {
  const named = {
    j: () => list.move(1), ArrowDown: () => list.move(1), ArrowRight: () => list.move(1),
    k: () => list.move(-1), ArrowUp: () => list.move(-1), ArrowLeft: () => list.move(-1),
    Home: () => list.move(-Infinity), End: () => list.move(Infinity),
    e: () => list.current()?.querySelector(".thumb").click(),
    "?": keys,
    p: close,
  };
  window.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const dialog = document.querySelector("dialog.enlarged");
    if (dialog && (key === "e" || key === "Enter" || key === " ")) {
      event.preventDefault();
      return dialog.close();
    }
    if (anyOpen()) return;
    // Enter on a button presses that button; on a card it shows the image.
    if (key === "Enter" && event.target.matches?.(".difference")) return event.target.querySelector(".thumb").click();
    const run = /^[1-5]$/.test(key) ? () => choose(KINDS[Number(key) - 1]) : named[key];
    if (!run) return;
    event.preventDefault();
    run();
  });
}

function keyTable(alone) {
  const rows = [
    [["J", "↓", "K", "↑"], say("compare.move")],
    [["Home", "End"], say("compare.first")],
    [["E", say("keys.enter")], say("keys.enlarge")],
    [["1", "…", "5"], say("compare.filter")],
    [["?"], say("keys.help")],
  ];
  return alone ? [...rows, [["P"], say("compare.close")]] : rows;
}
