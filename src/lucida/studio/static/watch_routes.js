// Routes: who answers, who steps in, which of two is better, and how far a roll-out is.
import { h } from "/static/dom.js";
import { interval } from "/static/watch_interval.js";
import { Drawn, command, moment, share } from "/static/watch_text.js";
import { number, percent, say } from "/static/words.js";

const CHANGES = 12; // that are listed

export class Routes {
  constructor() {
    this.list = new Drawn(h("div", { class: "routes" }));
    this.element = h("section", { class: "part", "aria-label": say("watch.routes") }, h("h2", {}, say("watch.routes")), this.list.element);
  }

  draw({ routes, refused, server, remembered }) {
    this.element.hidden = !routes?.length && (remembered || server.state !== "up");
    // What only counts down is not worth a new picture each time.
    const news = (routes ?? []).map((one) => ({ ...one, arms: one.arms?.map((arm) => ({ ...arm, opens: Math.ceil(arm.opens / 5) })) }));
    this.list.draw([news, refused.routes], () => {
      if (refused.routes) return [h("p", { class: "soft" }, say("watch.no_routes_scope"))];
      if (!routes?.length) return [h("p", { class: "soft" }, say("watch.no_routes")), command("lucida serve RUN-1 RUN-2 --route NAME=RUN-1:90,RUN-2:10")];
      return routes.map((route) => (route.remembered ? kept(route) : routed(route)));
    });
  }
}

function routed(route) {
  return h(
    "article",
    { class: "route", "data-route": route.name },
    h("h3", {}, route.name, " ", h("small", { class: "soft" }, `${say(`watch.kind_${route.kind}`)} · ${route.tasks.join(", ")}`)),
    chain(route),
    route.rollout ? rollout(route.rollout) : null,
    ...route.verdicts.map(verdict),
    route.shadow ? shadow(route.shadow) : null,
    route.records.trouble ? h("p", { class: "claim not" }, say("watch.unwritten", { why: route.records.trouble })) : null,
    changes(route),
  );
}

// ---- who answers ---------------------------------------------------------------------------------------------------

function chain({ arms, fallbacks }) {
  const first = arms.filter((one) => one.share > 0 || !fallbacks.includes(one.model));
  const rest = arms.filter((one) => !first.includes(one));
  const parts = [h("div", { class: "side-by" }, ...first.map((one) => model(one, first.length > 1)))];
  for (const one of rest) parts.push(h("span", { class: "then" }, say("watch.then")), model(one, false));
  return h("div", { class: "chain", role: "group", "aria-label": say("watch.chain") }, ...parts);
}

function model(one, shared) {
  const wait = one.opens > 0 ? say("watch.tried_in", { n: number(Math.ceil(one.opens / 5) * 5) }) : "";
  const counts = [
    say("watch.answered_n", { count: number(one.answered) }),
    one.kept ? say("watch.from_memory", { count: number(one.kept) }) : "",
    one.fell_back ? say("watch.fell_back", { count: number(one.fell_back) }) : "",
    one.failed ? say("watch.failed_n", { count: number(one.failed) }) : "",
  ];
  return h(
    "div",
    { class: `model ${one.breaker}` },
    h("strong", {}, one.model, shared ? h("span", { class: "soft" }, ` ${percent(one.share)}`) : null),
    h("span", { class: "breaker", title: say(`watch.breaker_${one.breaker.replace("-", "_")}_about`) }, [say(`watch.breaker_${one.breaker.replace("-", "_")}`), wait].filter(Boolean).join(", ")),
    h("span", { class: "soft" }, counts.filter(Boolean).join(" · ")),
  );
}

// ---- which is better -----------------------------------------------------------------------------------------------

function verdict(one) {
  const { low, high, confidence } = one.difference;
  const judged = one.unpaired.judged_a + one.unpaired.judged_b;
  const values = { a: one.a, b: one.b, confidence: percent(confidence) };
  const title = one.better ? say("watch.is_better", { better: one.better }) : say("watch.not_known");
  const widest = Math.min(1, Math.max(0.05, 1.15 * Math.max(Math.abs(low), Math.abs(high))));
  const picture = judged || one.better
    ? interval({
        low, high, least: -widest, most: widest, zero: 0, sure: Boolean(one.better), text: points, title: `${title} ${difference(one)}`,
        ends: [say("watch.better_side_a", values), say("watch.better_side_b", values)],
      })
    : null;
  return h(
    "section",
    { class: "verdict" },
    h("h4", {}, title),
    h("p", { class: one.better ? "claim" : "claim open" }, judged || one.better ? difference(one) : say("watch.no_feedback")),
    picture ? h("figure", {}, picture, h("figcaption", { class: "soft" }, say("watch.interval", values))) : null,
    judged ? h("p", {}, evidence(one)) : command(`curl -d '{"request_id": "…", "right": true}' -H "content-type: application/json" localhost:8000/v1/feedback`),
    h("p", { class: "soft" }, say("watch.peek", values)),
  );
}

function difference(one) {
  const { low, high, confidence } = one.difference;
  const values = { a: one.a, b: one.b, confidence: percent(confidence) };
  if (one.better) {
    const [least, most] = [Math.abs(low), Math.abs(high)].sort((x, y) => x - y);
    return say("watch.by", { ...values, better: one.better, other: one.better === one.a ? one.b : one.a, least: rightOf(least), most: rightOf(most) });
  }
  return say("watch.open", { ...values, fewer: rightOf(Math.max(0, -low)), more: rightOf(Math.max(0, high)) });
}

// Of 100 answers, so many more are right.
const rightOf = (value) => number(Math.round(value * 1000) / 10);
const points = (value) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${rightOf(Math.abs(value))}`;

function evidence({ a, b, unpaired, paired }) {
  const of = (right, judged) => say("watch.right_of", { right: number(right), judged: number(judged), share: judged ? percent(right / judged) : "–" });
  const both = paired.same + paired.only_a + paired.only_b + paired.unclear;
  return [
    say("watch.judged", { a, b, of_a: of(unpaired.right_a, unpaired.judged_a), of_b: of(unpaired.right_b, unpaired.judged_b) }),
    both ? say("watch.both", { a, b, both: number(both), only_a: number(paired.only_a), only_b: number(paired.only_b) }) : "",
  ].filter(Boolean).join(document.documentElement.lang.startsWith("zh") ? "" : " ");
}

// ---- shadow, roll-out, what happened -------------------------------------------------------------------------------

function shadow({ model: name, share: part, asked, agreed, failed, skipped }) {
  const done = asked - failed;
  const who = name ?? say("watch.other_arm");
  const text = done > 0 ? say("watch.agreed", { model: who, share: percent(agreed / done), agreed: number(agreed), asked: number(done) }) : say("watch.shadow_waits", { model: who });
  const more = [failed ? say("watch.shadow_failed", { count: number(failed) }) : "", skipped ? say("watch.shadow_skipped", { count: number(skipped) }) : ""].filter(Boolean).join(" ");
  return h("section", { class: "shadow" }, h("h4", {}, say("watch.shadow", { share: percent(part) })), h("p", {}, text), more ? h("p", { class: "soft" }, more) : null);
}

function rollout(one) {
  const back = one.state === "rolled back";
  const state = say(`watch.rollout_${one.state.replace(" ", "_")}`, { source: one.source, target: one.target, share: percent(one.share), since: moment(one.since) });
  const steps = one.steps.map((step, i) =>
    h("li", { class: one.state === "done" || (one.state === "running" && i < one.step) ? "past" : one.state === "running" && i === one.step ? "now" : "", "aria-current": one.state === "running" && i === one.step ? "step" : null }, percent(step / 100)),
  );
  const mark = (met) => h("span", { class: met === true ? "tick" : met === false ? "cross" : "soft", "aria-hidden": "true" }, met === true ? "✓" : met === false ? "✗" : "…");
  const conditions = one.conditions.map(({ name, met, text }) =>
    h("li", {}, mark(met), " ", say(`watch.condition_${name}`), h("span", { class: "unseen" }, say(met === true ? "watch.met" : met === false ? "watch.unmet" : "watch.open_yet")), " ", h("span", { class: "soft" }, text)));
  return h(
    "section",
    { class: "rollout" },
    h("h4", {}, say("watch.rollout", { source: one.source, target: one.target })),
    h("ol", { class: "stairs" }, ...steps),
    h("p", { class: back ? "claim not" : "claim" }, state, one.why && one.state !== "running" ? h("span", { class: "why" }, one.why) : null),
    conditions.length ? h("p", { class: "soft" }, say("watch.next_step")) : null,
    conditions.length ? h("ul", { class: "conditions" }, ...conditions) : null,
  );
}

function changes({ name, changes: all }) {
  if (!all.length) return null;
  const rows = all.slice(-CHANGES).reverse().map(({ at, what, why, model: who }) => {
    const key = `watch.what_${what.replaceAll(" ", "_")}`;
    return h("li", {}, h("time", {}, moment(at)), h("strong", {}, [who, say(key) === key ? what : say(key)].filter(Boolean).join(": ")), h("span", { class: "soft" }, why));
  });
  return h("details", { class: "changes", "data-name": `changes-${name}` }, h("summary", {}, say("watch.changes", { count: number(all.length) })), h("ul", {}, ...rows));
}

// What the records say of a route whose server does not run.
function kept(route) {
  const rows = route.judged.map(({ model: name, right, judged }) =>
    h("li", {}, h("strong", {}, name), " ", say("watch.right_of", { right: number(right), judged: number(judged), share: share(judged ? right / judged : null) })));
  return h(
    "article",
    { class: "route", "data-route": route.name },
    h("h3", {}, route.name),
    rows.length ? h("ul", { class: "conditions" }, ...rows) : null,
    h("p", { class: "soft" }, say("watch.server_says")),
    changes(route),
  );
}
