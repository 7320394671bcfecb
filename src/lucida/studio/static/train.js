// The Train page: the list of runs, what is chosen of it, and asking the server for what is new.
import { anyOpen, showKeys } from "/static/dialogs.js";
import { h, keyButton } from "/static/dom.js";
import { compared } from "/static/train_compared.js";
import { Detail } from "/static/train_detail.js";
import { Graphs } from "/static/train_graphs.js";
import { duration, metricName, metricValue, moment } from "/static/train_series.js";
import { loadWords, number, percent, readJson, say } from "/static/words.js";

const LETTERS = "ABCDEF"; // as many runs as can be told apart in one picture
const BUSY = 2000; // ms between two looks while something trains
const IDLE = 8000;
const STATES = { running: "train.running", stopped: "train.stopped", finished: "train.finished", gone: "train.gone" };

export function openTrain(root) {
  loadWords(readJson("lucida-words"));
  const page = new TrainPage(root, readJson("lucida-train"));
  listen(page);
  page.begin();
}

class TrainPage {
  constructor(root, { runs, catalog }) {
    this.root = root;
    this.runs = runs;
    this.catalog = catalog;
    this.rows = new Map(); // run -> { generation, rows }
    this.letters = new Map(); // chosen run -> letter
    this.opened = null;
    this.graphs = new Graphs();
    this.detail = new Detail();
    this.status = h("p", { class: "lost", role: "status", hidden: true });
    this.summary = h("p", { class: "soft" });
    this.list = h("div", { class: "runs" });
    this.compared = h("section", { class: "compared", "aria-label": say("train.compare") });
  }

  async begin() {
    const keys = keyButton({ text: say("keys.title"), key: "?", onclick: () => this.keys(), className: "plain keys-button" });
    const heading = h("header", { class: "heading" }, h("div", {}, h("h1", {}, say("train.title")), this.summary), keys);
    this.root.replaceChildren(heading, this.status, this.list, this.graphs.element, this.compared, this.detail.element);
    this.recall();
    await this.fetchRows();
    this.draw();
    this.root.dataset.state = "ready";
    this.wait();
  }

  // ---- what is chosen ----------------------------------------------------------------------------------------------

  recall() {
    const known = new Map(this.runs.map((run) => [run.run, run]));
    const asked = decodeURIComponent(location.hash.slice(1)).split(",").filter((run) => known.has(run));
    const first = this.runs.find((run) => run.state !== "gone");
    for (const run of asked.length ? asked : first ? [first.run] : []) this.letter(run);
    this.opened = asked[0] ?? first?.run ?? null;
  }

  letter(run) {
    if (this.letters.has(run)) return;
    const free = [...LETTERS].find((letter) => ![...this.letters.values()].includes(letter));
    if (free) this.letters.set(run, free);
  }

  async choose(run, chosen) {
    if (chosen) this.letter(run);
    else this.letters.delete(run);
    this.remember();
    await this.fetchRows();
    this.draw();
  }

  async open(run) {
    this.opened = run;
    await this.choose(run, true);
  }

  remember() {
    const chosen = [...this.letters.keys()].sort((a, b) => (b === this.opened) - (a === this.opened));
    history.replaceState(null, "", `#${encodeURIComponent(chosen.join(","))}`);
  }

  // ---- what is new -------------------------------------------------------------------------------------------------

  wait() {
    const busy = this.runs.some((run) => run.state === "running");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), busy ? BUSY : IDLE);
  }

  async look() {
    if (document.hidden) return this.wait(); // nobody sees it
    try {
      const response = await fetch("/api/train");
      if (!response.ok) throw new Error(response.status);
      const { runs } = await response.json();
      const news = JSON.stringify(told(runs)) !== JSON.stringify(told(this.runs));
      const arrived = runs.length && !this.runs.length;
      this.runs = runs;
      if (arrived) this.recall();
      await this.fetchRows();
      this.say("");
      if (news) this.draw();
    } catch (error) {
      this.say(say(Number(error.message) === 403 ? "state.refused" : "train.lost"));
    }
    this.wait();
  }

  // Fetch the rows that this page does not have yet, of the runs that are drawn.
  async fetchRows() {
    for (const run of this.runs.filter((one) => this.letters.has(one.run))) {
      let have = this.rows.get(run.run) ?? { generation: -1, rows: [] };
      while (have.generation !== run.generation || have.rows.length < run.rows) {
        const response = await fetch(`/api/train/${run.run}/rows?generation=${have.generation}&start=${have.rows.length}`);
        if (!response.ok) throw new Error(response.status);
        const { generation, start, rows, count } = await response.json();
        have = { generation, rows: [...have.rows.slice(0, start), ...rows] };
        this.rows.set(run.run, have);
        if (!rows.length || have.rows.length >= count) break;
      }
    }
  }

  say(text) {
    this.status.textContent = text;
    this.status.hidden = !text;
  }

  // ---- what is seen ------------------------------------------------------------------------------------------------

  draw() {
    const running = this.runs.filter((run) => run.state === "running").length;
    const count = say("train.count", { count: this.runs.length === 1 ? 1 : number(this.runs.length) });
    this.summary.textContent = [this.runs.length ? count : "", running ? say("train.now", { count: running }) : ""].filter(Boolean).join(" · ");
    const chosen = this.chosen();
    this.drawList();
    for (const part of [this.graphs.element, this.compared, this.detail.element]) part.hidden = !this.runs.length;
    if (!this.runs.length) return;
    this.graphs.draw(chosen);
    this.compared.replaceChildren(...compared(chosen));
    this.compared.hidden = chosen.length < 2;
    const opened = this.runs.find((run) => run.run === this.opened);
    this.detail.draw(opened, this.letters.get(this.opened), running > 0);
  }

  chosen() {
    return this.runs
      .filter((run) => this.letters.has(run.run))
      .map((run) => ({ ...run, letter: this.letters.get(run.run), points: this.rows.get(run.run)?.rows ?? [] }))
      .sort((a, b) => a.letter.localeCompare(b.letter));
  }

  drawList() {
    if (!this.runs.length) return this.list.replaceChildren(nothing(this.catalog));
    const focused = document.activeElement?.closest?.("[data-run]")?.dataset.run;
    const part = document.activeElement?.matches?.("input") ? "input" : ".name";
    const head = ["train.run", "train.state", "train.best", "train.images", "train.time", "train.started"];
    const table = h(
      "table",
      {},
      h("thead", {}, h("tr", {}, h("th", {}, h("span", { class: "unseen" }, say("train.choose"))), ...head.map((key) => h("th", { scope: "col" }, say(key))))),
      h("tbody", {}, ...this.runs.map((run) => this.row(run))),
    );
    this.list.replaceChildren(table);
    if (focused) this.list.querySelector(`[data-run="${CSS.escape(focused)}"] ${part}`)?.focus({ preventScroll: true });
  }

  row(run) {
    const letter = this.letters.get(run.run);
    const gone = run.state === "gone";
    const box = h("input", {
      type: "checkbox", "aria-label": say("train.draw", { run: run.run }), checked: Boolean(letter),
      disabled: gone || (!letter && this.letters.size >= LETTERS.length),
      onchange: (event) => this.choose(run.run, event.target.checked),
    });
    const mark = h("span", { class: letter ? `swatch c${letter.toLowerCase()}` : "swatch", "aria-hidden": "true" }, letter ?? "");
    const name = h("button", { type: "button", class: "name", disabled: gone, "aria-current": run.run === this.opened, onclick: () => this.open(run.run) },
      h("strong", {}, run.model || run.task), h("span", { class: "soft" }, about(run)));
    return h(
      "tr",
      { "data-run": run.run, class: run.run === this.opened ? "opened" : "", title: run.run },
      h("td", { class: "check" }, h("label", {}, box, mark)),
      h("td", { class: "who" }, name),
      h("td", { class: "how" }, state(run)),
      h("td", { class: "best", "data-name": say("train.best") }, best(run)),
      h("td", { class: "figure images", "data-name": say("train.images") }, run.images === null ? "–" : number(run.images)),
      h("td", { class: "figure", "data-name": say("train.time") }, duration(run.seconds)),
      h("td", { class: "figure", "data-name": say("train.started") }, moment(run.started)),
    );
  }

  // ---- keys --------------------------------------------------------------------------------------------------------

  move(step) {
    const names = [...this.list.querySelectorAll(".name:not(:disabled)")];
    if (!names.length) return;
    const at = names.indexOf(document.activeElement);
    const next = names[Math.max(0, Math.min(names.length - 1, at < 0 ? 0 : at + step))];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }

  toggle() {
    const row = document.activeElement?.closest?.("[data-run]");
    row?.querySelector("input:not(:disabled)")?.click();
  }

  keys() {
    showKeys([
      [["J", "K"], say("train.key_move")],
      [[say("keys.enter")], say("train.key_open")],
      [["X"], say("train.key_draw")],
      [["A"], say("train.key_axis")],
      [["C"], say("train.key_copy")],
      [["M"], say("train.key_mistakes")],
      [["←", "→"], say("train.key_arrows")],
      [["?"], say("keys.help")],
    ]);
  }
}

// What is worth drawing anew; how long a run has been silent is not.
function told(runs) {
  return runs.map((run) => ({ ...run, silent: 0 }));
}

function state(run) {
  const pill = h("span", { class: `pill ${run.state}` }, say(STATES[run.state]));
  if (run.state === "gone" || run.state === "finished") return pill;
  const part = run.total && run.step ? Math.min(1, run.step / run.total) : null;
  const left = run.state === "running" && part && run.seconds ? say("train.left", { time: duration((run.seconds / part) * (1 - part)) }) : "";
  const bar = h("span", { class: "bar-of", "aria-hidden": "true" }, h("i", { style: `width:${100 * (part ?? 0)}%` }));
  return h("span", { class: "going" }, pill, bar, h("span", { class: "soft" }, [part === null ? "" : percent(part, 0), left].filter(Boolean).join(" · ")));
}

// What tells runs of one model apart at a glance.
function about({ task, data, question, settings }) {
  const { size, tune } = settings;
  return [task, data || question, size ? `${size} px` : "", tune && tune !== "full" ? tune : ""].filter(Boolean).join(" · ");
}

function best(run) {
  if (run.best === null) return "–";
  return h("span", {}, h("strong", {}, metricValue(run.monitor, run.best)), " ", h("span", { class: "soft" }, metricName(run.monitor)));
}

function nothing(catalog) {
  const lines = ["lucida train classify --data photos/", "lucida train classify"];
  return h(
    "section",
    { class: "nothing" },
    h("h2", {}, say("train.none")),
    h("p", { class: "soft" }, catalog),
    h("p", {}, say("train.none_data")), h("pre", {}, h("code", {}, lines[0])),
    h("p", {}, say("train.none_catalog")), h("pre", {}, h("code", {}, lines[1])),
    h("p", { class: "soft" }, say("train.none_here")),
  );
}

function listen(page) {
  const named = {
    j: () => page.move(1), k: () => page.move(-1), x: () => page.toggle(), "?": () => page.keys(),
    a: () => page.graphs.turn(), c: () => page.detail.copy(), m: () => page.detail.toMistakes(),
  };
  window.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || anyOpen()) return;
    if (event.target.matches?.("select, input[type=text]")) return;
    const run = named[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!run) return;
    event.preventDefault();
    run();
  });
  document.addEventListener("visibilitychange", () => !document.hidden && page.look());
}
