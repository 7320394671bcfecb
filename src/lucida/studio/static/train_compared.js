// The runs that are chosen, side by side: what came of each, and in what they differ.
import { h } from "/static/dom.js";
import { bytes, duration, figure, lessIsBetter, metricName, metricValue } from "/static/train_series.js";
import { number, say } from "/static/words.js";

const NAMES = {
  start: "setting.start", tune: "setting.tune", size: "setting.size", augmentation: "setting.augmentation",
  minutes: "setting.minutes", epochs: "setting.epochs", batch: "setting.batch", rate: "setting.rate", seed: "setting.seed",
};

export function settingName(name) {
  return NAMES[name] ? say(NAMES[name]) : name.replaceAll("_", " ");
}

export function compared(runs) {
  if (runs.length < 2) return [];
  const heads = runs.map((run) =>
    h("th", { scope: "col" }, h("span", { class: `swatch c${run.letter.toLowerCase()}` }, run.letter), " ", run.model || run.task),
  );
  const groups = [[say("train.results"), results(runs)], [say("train.differing"), differing(runs)]];
  return [
    h("h2", {}, say("train.compare")),
    sameJudges(runs) ? "" : h("p", { class: "claim" }, say("train.other_judges")),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": say("train.compare") },
      h("table", {}, h("thead", {}, h("tr", {}, h("td", {}), ...heads)), ...groups.map(([title, lines]) => group(title, lines, runs.length)))),
  ];
}

function group(title, lines, columns) {
  const rows = lines.map(({ name, texts, winners }) =>
    h("tr", {}, h("th", { scope: "row" }, name), ...texts.map((text, i) => h("td", winners?.includes(i) ? { class: "winner" } : {}, text))),
  );
  const none = h("tr", {}, h("td", { class: "soft", colspan: columns + 1 }, say("train.same_settings")));
  return h("tbody", {}, h("tr", { class: "group" }, h("th", { colspan: columns + 1, scope: "rowgroup" }, title)), ...(rows.length ? rows : [none]));
}

function results(runs) {
  const values = (run) => (Object.keys(run.metrics).length ? run.metrics : run.best === null ? {} : { [run.monitor]: run.best });
  const names = [...new Set(runs.flatMap((run) => Object.keys(values(run))))].filter((name) => name !== "temperature");
  const lines = names.map((name) => {
    const found = runs.map((run) => values(run)[name] ?? null);
    const texts = found.map((value) => metricValue(name, value));
    return { name: metricName(name), texts, winners: sameJudges(runs) ? best(found, texts, lessIsBetter(name)) : [] };
  });
  const facts = [
    [say("train.images"), (run) => run.images, number, null],
    [say("train.model_size"), (run) => run.size, bytes, true],
    [say("train.speed"), (run) => run.speed, (value) => say("train.per_second", { n: number(Math.round(value)) }), false],
    [say("train.steps"), (run) => run.step, number, null],
    [say("train.time"), (run) => run.seconds, duration, null],
  ];
  for (const [name, read, text, less] of facts) {
    const found = runs.map((run) => read(run) ?? null);
    if (found.every((value) => value === null)) continue;
    const texts = found.map((value) => (value === null ? "–" : text(value)));
    lines.push({ name, texts, winners: less === null ? null : best(found, texts, less) });
  }
  return lines;
}

// Figures on other images say nothing of who is better.
function sameJudges(runs) {
  return runs.every((run) => run.digest === runs[0].digest && run.task === runs[0].task);
}

// Which of them are best; none where all read the same, or only one is known.
function best(values, texts, less) {
  const known = values.filter((value) => value !== null);
  if (known.length < 2) return [];
  const top = texts[values.indexOf(less ? Math.min(...known) : Math.max(...known))];
  return texts.every((text, i) => values[i] === null || text === top) ? [] : texts.flatMap((text, i) => (text === top ? [i] : []));
}

function differing(runs) {
  const all = runs.map((run) => ({ task: run.task, data: run.data, ...run.settings }));
  const names = [...new Set(all.flatMap((settings) => Object.keys(settings)))];
  return names
    .filter((name) => new Set(all.map((settings) => JSON.stringify(settings[name] ?? null))).size > 1)
    .map((name) => ({
      name: name === "task" ? say("train.task") : name === "data" ? say("train.data") : settingName(name),
      texts: all.map((settings) => text(settings[name])),
    }));
}

function text(value) {
  if (value === undefined || value === null) return "–";
  return typeof value === "number" ? figure(value) : String(value);
}
