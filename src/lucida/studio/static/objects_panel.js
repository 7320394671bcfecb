// The panel and the end of a review of objects: what is proven of the boxes kept, and of what is missing.
import { chart } from "/static/chart.js";
import { h, keyButton } from "/static/dom.js";
import { away, command } from "/static/end.js";
import { big, facts, pause, proven, standing, steps } from "/static/panel.js";
import { bound, number, percent, say } from "/static/words.js";

const STEPS = ["check", "missed", "done"];

const stepsOf = (phase) => steps(phase, STEPS, (name) => say(`objects.step_${name}`));
const mean = (value) => number(Math.ceil(value * 100 - 1e-9) / 100);

export function drawObjectsPanel(panel, view, ask) {
  const body = view.phase === "missed" ? missed(view, ask) : found(view, ask);
  const focused = panel.contains(document.activeElement) ? document.activeElement.dataset.name : null;
  const left = view.left === null ? null : h("p", { class: "promise" }, say("handed.left", { count: view.left }));
  const what = h("p", { class: "what" }, say(`objects.what_${view.phase}`));
  panel.replaceChildren(...[stepsOf(view.phase), left, what, ...body, pause(view, ask)].filter(Boolean));
  if (focused) panel.querySelector(`[data-name="${focused}"]`)?.focus();
}

function stop(text, ask, left) {
  if (left !== null) return null;
  const button = keyButton({ text, key: "S", onclick: ask.stop });
  button.dataset.name = "stop";
  return h("div", { class: "advice" }, button);
}

function found({ status, left }, ask) {
  const { kept, total } = status;
  return [
    big(number(kept), say("check.kept", { total: number(total) })),
    kept || !status.needed ? h("p", { class: kept ? "promise" : "soft" }, standing(status)) : null,
    status.needed ? few(status) : status.advice ? h("p", { class: "soft" }, status.advice) : null,
    proven(status),
    facts([
      [number(status.reviews), say("check.reviews")],
      [number(status.errors_found), say("check.errors")],
      [`≤ ${percent(status.max_error)}`, say("check.goal")],
    ]),
    stop(say(status.stand ? "objects.stop_check" : "objects.stop_end"), ask, left),
  ];
}

// Said before the first answer: there is nothing to save, so it is about all of them.
function few({ total, needed, max_error: error }) {
  return h("p", { class: "promise few" }, say("objects.few", { total: number(total), needed: number(needed), error: percent(error) }));
}

function missed({ status, left }, ask) {
  const { looked, images, images_bound: most, confidence } = status;
  const words = { bound: number(most), images: number(images), confidence: percent(confidence) };
  return [
    big(number(looked), say("objects.looked", { count: looked })),
    h("p", { class: looked ? "promise" : "soft" }, say("objects.so_far", words)),
    status.advice ? h("p", { class: status.withdrawn ? "promise withdrawn" : "soft" }, status.advice) : null,
    curve(status),
    facts([
      [number(status.with_missed), say("objects.with_missed")],
      status.wrong_seen
        ? [`${number(status.marked)} · ${number(status.wrong_seen)}`, say("objects.marked_wrong")]
        : [number(status.marked), say("objects.marked")],
      [`≤ ${percent(status.max_missed)}`, say("objects.goal")],
      [`≤ ${mean(status.mean_bound)}`, say("objects.mean")],
    ]),
    stop(say("objects.stop_missed"), ask, left),
  ];
}

function curve({ missed_curve: points, images, images_bound: most, looked }) {
  const words = { looked: number(looked), bound: number(most), images: number(images) };
  return h(
    "figure",
    { class: "curve" },
    h("figcaption", {}, say("objects.chart")),
    chart({
      points, top: images, end: looked, step: true, title: say("objects.chart_text", words),
      xName: say("objects.chart_x"), xText: number, yText: (v) => number(Math.round(v)),
    }),
  );
}

export function drawObjectsEnd(root, view) {
  root.replaceChildren(h("section", { class: "end" }, ...content(view)));
  root.dataset.phase = view.ended || "done";
  root.dataset.turn = view.turn;
  root.querySelector("h1").focus();
}

function content(view) {
  if (view.ended === "handed") return away("handed.title", h("p", { class: "claim" }, say("handed.text")));
  if (view.ended === "paused") return away("paused.title", h("p", { class: "claim" }, say("paused.text")));
  const { status } = view;
  const { kept, looked } = status;
  const all = status.reviews === status.total;
  const words = {
    kept: number(kept), total: number(status.total), stand: number(status.stand), error: bound(status.bound), bound: number(status.images_bound), images: number(status.images),
    mean: mean(status.mean_bound), confidence: percent(status.confidence),
  };
  const promise = say(`objects.promise${all ? "_all" : ""}${!looked ? "_found" : kept || all ? "" : "_missed"}`, words);
  const reason = status.reason === "target" ? say("objects.reason_target") : say(`done.reason_${status.reason}`);
  const tiles = [
    [number(status.reviews), say("objects.checked")],
    [number(status.accepted), say("done.accepted"), kept ? say("done.accepted_hint", { rate: bound(status.rate_left) }) : null],
    [number(looked), say("objects.looked", { count: looked })],
    [number(status.marked), say("objects.marked")],
  ];
  return [
    stepsOf("done"),
    h("h1", { tabindex: "-1" }, say(all ? "objects.title_all" : kept ? "done.title" : "done.title_none", words)),
    h("p", { class: "claim" }, kept || looked || all ? promise : say("done.none_other")),
    h("p", { class: "soft" }, reason.startsWith("done.") ? status.reason : reason),
    h("div", { class: "sum" }, facts(tiles), looked ? curve(status) : proven(status)),
    h("h2", {}, say("done.next")),
    command(say("objects.export"), "lucida export out/"),
    command(say("done.verify"), "lucida verify out/certificate.json"),
    h("p", { class: "soft" }, say("done.close")),
  ];
}
