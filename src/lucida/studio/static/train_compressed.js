// The smaller models that were made of a run: size, speed and accuracy before and after, and what is proven of them.
import { h } from "/static/dom.js";
import { bytes, figure, metricValue } from "/static/train_series.js";
import { number, say } from "/static/words.js";

export function compressions(run) {
  if (!run.compressed.length) return [];
  const heading = h("h2", {}, say("train.compressed"));
  return [h("section", { class: "smaller", "aria-label": say("train.compressed") }, heading, ...run.compressed.map(one))];
}

function one({ run, made, claim, holds, images, rows }) {
  const heads = ["", say("train.made_by"), say("train.model_size"), say("train.alone"), say("train.together"), say("train.exact")];
  const table = h(
    "table",
    {},
    h("thead", {}, h("tr", {}, ...heads.map((text) => (text ? h("th", { scope: "col" }, text) : h("td", {}))))),
    h("tbody", {}, ...rows.map(line)),
  );
  return h(
    "article",
    { "data-run": run },
    h("h3", {}, made, " ", h("small", { class: "soft" }, run)),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": made }, table),
    h("p", { class: "soft" }, say("train.compress_judged", { count: number(images) })),
    h("p", { class: holds ? "claim" : "claim not" }, claim), // the sentence itself says whether it is proven
  );
}

function line({ name, engine, bytes: size, alone, together, accuracy, low, high }) {
  const share = (value) => metricValue("accuracy", value);
  const judged = say("train.interval", { value: share(accuracy), low: share(low), high: share(high) });
  const cells = [engine, bytes(size), figure(alone), figure(together), judged];
  return h("tr", {}, h("th", { scope: "row" }, say(name === "after" ? "train.small" : "train.big")), ...cells.map((text) => h("td", {}, text)));
}
