// How often answers are right today: the bound, the days before, and the drawn images that wait for a person.
import { h } from "/static/dom.js";
import { interval } from "/static/watch_interval.js";
import { Queue } from "/static/watch_queue.js";
import { Drawn, atLeast, atMost, command, day, share } from "/static/watch_text.js";
import { number, percent, say } from "/static/words.js";

export class Accuracy {
  // judge(body): sends a verdict; resolves to what is known after it, or an error.
  constructor(judge, look) {
    this.stands = new Drawn(h("div", { class: "stands" }));
    this.days = new Drawn(h("div", {}));
    this.queue = new Queue(judge, (today) => {
      if (today) this.drawToday(today);
    }, look);
    this.element = h("section", { class: "part", "aria-label": say("watch.accuracy") },
      h("h2", {}, say("watch.accuracy")), h("div", { class: "accuracy" }, h("div", { class: "known" }, this.stands.element, this.days.element), this.queue.element));
  }

  draw({ watch, remembered, server }) {
    const found = watch?.accuracy;
    this.element.hidden = !watch || (!found && remembered);
    if (this.element.hidden) return;
    const live = !remembered && server.state === "up";
    this.queue.element.hidden = !found || (!live && !found.waiting.length);
    if (!found) return void this.stands.draw("off", () => [h("p", { class: "soft" }, say("watch.not_drawn")), command("watch: {reference: live, review: 0.01, keep_images: yes}")]);
    this.found = found;
    this.drawToday(found.today);
    this.days.draw(found.days, () => [days(found.days)]);
    this.queue.draw(found, watch.classes, live, watch.keep_images);
  }

  drawToday(today) {
    this.stands.draw([today, this.found.confidence, this.found.rate], () => told(today, this.found));
  }
}

function told(today, { confidence, rate }) {
  const drawn = h("p", { class: "soft" }, say("watch.drawn_how", { rate: percent(rate, 2) }));
  if (!today) return [h("p", { class: "claim open" }, say("watch.no_answer_today")), drawn];
  const values = { low: atLeast(today.low), high: atMost(today.high), confidence: percent(confidence) };
  const judged = today.right + today.wrong + today.unsure;
  const claim = judged ? say("watch.today", values) : say("watch.nobody_judged");
  return [
    h("p", { class: judged ? "claim" : "claim open" }, claim),
    judged ? interval({ low: today.low, high: today.high, least: 0, most: 1, sure: true, text: (value) => (value === today.low ? atLeast(value) : atMost(value)), title: claim, ends: [share(0), share(1)] }) : null,
    h("p", {}, say("watch.today_counts", { answers: number(today.answers), drawn: number(today.drawn), right: number(today.right), wrong: number(today.wrong), unsure: number(today.unsure) })),
    today.unanswered ? h("p", { class: "soft" }, say("watch.unanswered", { count: number(today.unanswered) })) : null,
    drawn,
  ];
}

function days(rows) {
  const known = rows.filter((one) => one.right + one.wrong + one.unsure > 0);
  if (known.length < 2) return null;
  const row = (one) =>
    h("tr", {}, h("th", { scope: "row" }, day(one.day)),
      h("td", { class: "lane" }, h("span", { class: "range", role: "img", "aria-label": `${atLeast(one.low)} – ${atMost(one.high)}` }, h("i", { style: `left:${100 * one.low}%;width:${Math.max(0.6, 100 * (one.high - one.low))}%` }))),
      h("td", {}, say("watch.between", { low: atLeast(one.low), high: atMost(one.high) })), h("td", { class: "soft" }, number(one.answers)));
  return h("details", { "data-name": "days", open: true }, h("summary", {}, say("watch.days")),
    h("table", { class: "days" }, h("thead", {}, h("tr", {}, ...["watch.day", "watch.right_share", "watch.right_between", "watch.answers"].map((key) => h("th", { scope: "col" }, say(key))))), h("tbody", {}, ...known.slice(0, 14).map(row))));
}
