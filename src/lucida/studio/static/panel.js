// The panel beside the image: where the review stands, what the phase is for, and what is proven.
import { chart } from "/static/chart.js";
import { h, keyButton } from "/static/dom.js";
import { bound, number, percent, say } from "/static/words.js";

const STEPS = ["teach", "check", "done"];

// names: the phases in their order, and the words for each.
export function steps(phase, names = STEPS, word = (name) => say(`steps.${name}`)) {
  const now = names.indexOf(phase);
  return h(
    "ol",
    { class: "steps" },
    ...names.map((name, i) =>
      h(
        "li",
        { class: i < now ? "past" : i === now ? "now" : "", "aria-current": i === now ? "step" : null },
        h("span", { class: i < now ? "mark tick" : "mark", "aria-hidden": "true" }, i < now ? "" : String(i + 1)),
        word(name),
      ),
    ),
  );
}

export function drawPanel(panel, view, ask) {
  const body = view.phase === "teach" ? teach(view, ask) : check(view, ask);
  const focused = panel.contains(document.activeElement) ? document.activeElement.dataset.name : null;
  const left = view.left === null ? null : h("p", { class: "promise" }, say("handed.left", { count: view.left }));
  const what = h("p", { class: "what" }, say(`${view.phase}.what`));
  const names = view.unit === "labels" ? STEPS : STEPS.slice(1); // texts are not taught
  panel.replaceChildren(...[steps(view.phase, names), left, what, ...body, pause(view, ask)].filter(Boolean));
  if (focused) panel.querySelector(`[data-name="${focused}"]`)?.focus();
}

export function pause({ left }, ask) {
  const text = say(left === null ? "review.pause" : "handed.skip");
  const button = keyButton({ text, key: "P", onclick: ask.pause, className: "quiet" });
  button.dataset.name = "pause";
  return h("div", { class: "pause" }, button, left === null ? h("span", { class: "soft" }, say("review.pause_hint")) : null);
}

export function big(value, text) {
  return h("p", { class: "big" }, h("strong", {}, value), h("span", {}, text));
}

function teach({ status, card }, ask) {
  const last = status.expected.at(-1);
  const share = last ? percent(last[1], 0) : "";
  const known = status.expected.length > 1;
  const button = keyButton({ text: say("teach.freeze"), key: "F", onclick: ask.freeze });
  button.classList.toggle("primary", status.suggest_freeze || !card);
  button.dataset.name = "freeze";
  return [
    big(number(status.answers), say("teach.answers", { count: status.answers })),
    known ? big(share, say("teach.share")) : h("p", { class: "soft" }, say("teach.waiting")),
    known
      ? figure(say("teach.chart"), {
          points: status.expected, top: 1, end: status.answers, step: false,
          title: say("teach.chart_text", { answers: number(status.answers), share }),
          xName: say("teach.x"), xText: number, yText: (v) => percent(v, 0),
        })
      : null,
    h(
      "div",
      { class: status.suggest_freeze ? "advice ready" : "advice" },
      status.suggest_freeze ? h("p", {}, say("teach.enough")) : null,
      button,
      h("p", { class: "soft" }, say("teach.freeze_hint")),
    ),
  ].filter(Boolean);
}

function check({ status, card, left }, ask) {
  const { kept, total } = status;
  const button = keyButton({ text: say(card ? "check.stop" : "check.finish"), key: card ? "S" : "⏎", onclick: ask.stop });
  button.classList.toggle("primary", !card);
  button.dataset.name = "stop";
  return [
    big(number(kept), say("check.kept", { total: number(total) })),
    h("p", { class: kept ? "promise" : "soft" }, standing(status)),
    status.advice ? h("p", { class: "soft" }, status.advice) : null,
    proven(status),
    facts([
      [number(status.reviews), say("check.reviews")],
      [number(status.errors_found), say("check.errors")],
      [`≤ ${percent(status.max_error)}`, say("check.goal")],
    ]),
    left === null ? h("div", { class: "advice" }, button) : null,
  ];
}

// What is proven by now, in a sentence.
export function standing(status) {
  if (status.kept) return say("check.promise", { bound: bound(status.bound), confidence: percent(status.confidence) });
  const needed = atLeast(status);
  if (status.reviews < needed) return say("check.nothing", { needed: number(needed) });
  const { reviews, errors_found: errors, max_error: goal } = status;
  return say("check.nothing_yet", { reviews: number(reviews), errors: number(errors), goal: percent(goal) });
}

// Fewer answers than this cannot prove a bound of max_error: the rule of three, for any confidence.
function atLeast({ confidence, max_error: error, total }) {
  const needed = Math.log(1 - confidence) / Math.log(1 - error);
  return Math.min(total, Math.ceil(needed / 10) * 10);
}

// The curve of what is proven: labels kept, by images checked.
export function proven(status) {
  const { kept, total, reviews } = status;
  return figure(say("check.chart"), {
    points: status.curve, top: total, end: reviews, step: true,
    title: say("check.chart_text", { reviews: number(reviews), kept: number(kept), total: number(total) }),
    xName: say("check.x"), xText: number, yText: (v) => number(Math.round(v)),
  });
}

export function figure(caption, options) {
  return h("figure", { class: "curve" }, h("figcaption", {}, caption), chart(options));
}

export function facts(rows) {
  return h(
    "dl",
    { class: "facts" },
    ...rows.map(([value, text, note]) =>
      h("div", {}, h("dt", {}, text), h("dd", {}, value), note ? h("dd", { class: "soft" }, note) : null),
    ),
  );
}
