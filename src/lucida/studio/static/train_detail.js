// One run: how to use its model, what is known of it, and where it is wrong.
import { h } from "/static/dom.js";
import { settingName } from "/static/train_compared.js";
import { compressions } from "/static/train_compressed.js";
import { Mistakes } from "/static/train_mistakes.js";
import { bytes, duration, figure, metricName, metricValue } from "/static/train_series.js";
import { number, say } from "/static/words.js";

export class Detail {
  constructor() {
    this.element = h("section", { class: "detail" });
    this.mistakes = null;
    this.key = "";
    this.speeds = new Map(); // run -> what was measured here
  }

  // run: undefined where none is opened; busy: whether something trains at the moment.
  draw(run, letter, busy) {
    if (!run || run.state === "gone") {
      this.key = "";
      this.mistakes = null;
      return this.element.replaceChildren();
    }
    // What has not changed is left alone: a picture that somebody looks at must not flicker.
    const key = JSON.stringify([{ ...run, silent: 0 }, letter]);
    if (key === this.key) return;
    this.key = key;
    if (run.state === "finished" && this.mistakes?.run !== run.run) this.mistakes = new Mistakes(run.run, busy);
    if (run.state !== "finished") this.mistakes = null;
    const mark = letter ? h("span", { class: `swatch c${letter.toLowerCase()}` }, letter) : null;
    this.command = run.state === "finished" ? command(`lucida label --model ${run.run}`) : null;
    this.element.setAttribute("aria-label", run.run);
    this.element.replaceChildren(
      h("div", { class: "what" },
        h("h2", {}, mark, " ", run.model || run.task, " ", h("small", {}, run.run)),
        tiles(run, this.speeds),
        this.command ?? h("p", { class: "claim" }, say(run.state === "running" ? "train.unfinished" : "train.go_on")),
        notes(run),
        settings(run)),
      ...compressions(run),
      ...(this.mistakes ? [this.mistakes.element] : []),
    );
  }

  copy() {
    this.command?.querySelector("button").click();
  }

  toMistakes() {
    this.mistakes?.focus();
  }
}

function tiles(run, speeds) {
  const metrics = Object.keys(run.metrics).length ? Object.entries(run.metrics) : run.best === null ? [] : [[run.monitor, run.best]];
  const shown = metrics.filter(([name]) => name !== "temperature" && name !== "loss").slice(0, 3);
  const facts = [
    ...shown.map(([name, value]) => [metricValue(name, value), metricName(name)]),
    run.images !== null ? [number(run.images), say("train.learned")] : null,
    run.validation !== null && run.validation !== undefined ? [number(run.validation), say("train.judged")] : null,
    run.seconds ? [duration(run.seconds), say("train.time")] : null,
    run.size ? [bytes(run.size), say("train.model_size")] : null,
  ].filter(Boolean);
  const tile = ([value, name]) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
  return h("dl", { class: "tiles" }, ...facts.map(tile), run.state === "finished" ? speedTile(run, speeds) : null);
}

// How fast its model answers: measured here, or beside a smaller one, or when it is asked for.
function speedTile(run, speeds) {
  const name = h("dt", {}, say("train.inference"));
  const shown = h("dd", {});
  const show = ({ images_per_second, engine }) => {
    shown.textContent = figure(images_per_second);
    name.title = engine;
  };
  const before = run.compressed.flatMap(({ rows }) => rows).find((row) => row.name === "before");
  const known = speeds.get(run.run) ?? run.answers ?? (before && { images_per_second: before.alone, engine: before.engine });
  if (known) show(known);
  else {
    const button = h("button", { type: "button", class: "quiet measure" }, say("train.measure"));
    button.addEventListener("click", async () => {
      button.disabled = true;
      button.textContent = say("train.measuring");
      try {
        const response = await fetch(`/api/train/${run.run}/speed`);
        const found = await response.json();
        if (!response.ok) throw new Error(found.error?.what ?? response.status);
        speeds.set(run.run, found);
        show(found);
      } catch (error) {
        button.disabled = false;
        button.textContent = say("train.measure");
        name.textContent = error.message;
      }
    });
    shown.append(button);
  }
  return h("div", {}, name, shown);
}

function command(line) {
  const button = h("button", { type: "button", class: "quiet", "aria-keyshortcuts": "C" }, say("train.copy"));
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(line);
      button.textContent = say("train.copied");
    } catch {
      getSelection().selectAllChildren(code); // no clipboard: it is marked, Ctrl-C takes it
    }
  });
  const code = h("code", {}, line);
  return h("div", { class: "command" }, h("p", {}, say("train.use")), h("div", {}, code, button));
}

function notes(run) {
  const lines = [
    ...(run.damaged ? [say("train.damaged", { count: run.damaged })] : []),
    ...(run.skipped ? [say("train.skipped", { count: run.skipped })] : []),
    ...run.notes,
  ];
  return lines.length ? h("ul", { class: "notes soft" }, ...lines.map((line) => h("li", {}, line))) : null;
}

function settings(run) {
  const rows = Object.entries(run.settings).map(([name, value]) =>
    h("div", {}, h("dt", {}, settingName(name)), h("dd", {}, typeof value === "number" ? figure(value) : value)),
  );
  return h("details", { class: "settings" }, h("summary", {}, say("train.settings")), h("dl", {}, ...rows));
}
