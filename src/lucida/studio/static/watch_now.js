// How the server is at the moment: requests, errors, times, what waits; models and jobs.
import { Curves } from "/static/curves.js";
import { h } from "/static/dom.js";
import { Drawn, command, figure, latency, moment, share } from "/static/watch_text.js";
import { number, say } from "/static/words.js";

const QUANTILES = [["p50", "ca"], ["p95", "cb"], ["p99", "ce"]];

export class Now {
  constructor() {
    this.tiles = new Drawn(h("dl", { class: "tiles" }));
    this.asked = new Curves(say("watch.requests"));
    this.times = new Curves(say("watch.times"));
    this.curves = h("div", { class: "pair" }, this.asked.element, this.times.element);
    this.empty = new Drawn(h("div", { class: "quiet-yet" }));
    this.models = new Drawn(h("div", { class: "scroll" }));
    this.jobs = new Drawn(h("div", { class: "jobs" }));
    this.element = h("section", { class: "part", "aria-label": say("watch.now") },
      h("h2", {}, say("watch.now"), " ", h("small", {}, say("watch.over"))), this.tiles.element, this.empty.element, this.curves, this.models.element, this.jobs.element);
  }

  draw({ now, jobs, server, refused }) {
    this.element.hidden = !now && !jobs;
    this.element.querySelector("h2").hidden = !now;
    const quiet = !now || !now.total;
    for (const part of [this.tiles.element, this.models.element]) part.hidden = !now;
    this.curves.hidden = quiet;
    this.empty.element.hidden = !now || !quiet;
    if (now) {
      this.drawTiles(now);
      this.drawCurves(now.points);
      this.empty.draw(server.url, () => [h("p", {}, say("watch.no_request")), command(`curl -F image=@photo.jpg ${server.url}/v1/classify`)]);
      this.models.draw(now.models, () => [models(now.models)]);
    }
    this.jobs.element.hidden = !jobs?.length && !refused.jobs;
    this.jobs.draw([jobs, refused.jobs], () => (refused.jobs ? [h("p", { class: "soft" }, say("watch.no_jobs_scope"))] : jobs?.length ? jobList(jobs) : []));
  }

  drawTiles(now) {
    const rows = [
      [now.requests === null ? "–" : figure(now.requests), say("watch.a_second")],
      [share(now.errors), say("watch.errors"), now.errors > 0 ? "bad" : ""],
      [share(now.refused), say("watch.refused"), now.refused > 0.05 ? "bad" : ""],
      [latency(now.p50), say("watch.middle")],
      [latency(now.p95), say("watch.most")],
      [latency(now.p99), say("watch.nearly_all")],
      [number(now.queue), say("watch.queue", { places: number(now.places) })],
      [share(now.hits, 0), say("watch.hits")],
    ];
    this.tiles.draw(rows, () => rows.map(([value, name, mark]) => h("div", { class: mark || null }, h("dt", {}, name), h("dd", {}, value))));
  }

  drawCurves(points) {
    const key = JSON.stringify(points);
    if (key === this.points) return;
    this.points = key;
    const axis = { end: 0, floor: 0, xName: say("watch.ago"), xText: (x, whole) => (whole ? say("watch.before", { n: number(Math.round(-x) || 0) }) : number(Math.round(-x) || 0)), empty: say("watch.soon") };
    const line = (name, colour, letter) => ({ letter, colour, points: points.filter((one) => one[name] !== null).map((one) => [one.ago, one[name]]) });
    const rate = (value, whole) => (whole ? say("watch.rate", { n: figure(value) }) : figure(value));
    this.asked.draw({ ...axis, lines: [line("requests", "ca", "")], yText: rate });
    this.times.draw({ ...axis, lines: QUANTILES.map(([name, colour]) => line(name, colour, name)), yText: (value) => latency(value) });
  }
}

function models(rows) {
  const heads = ["watch.model", "watch.revision", "watch.since", "watch.answered", "watch.failed", "watch.middle", "watch.most"];
  const cell = (text, title) => h("td", title ? { title } : {}, text);
  return h(
    "table",
    { class: "models" },
    h("caption", { class: "unseen" }, say("watch.models")),
    h("thead", {}, h("tr", {}, ...heads.map((key) => h("th", { scope: "col" }, say(key))))),
    h("tbody", {}, ...rows.map((one) =>
      h("tr", {}, h("th", { scope: "row" }, one.name, one.family && one.family !== one.name ? h("span", { class: "soft" }, ` ${one.family}`) : null),
        cell(one.revision.slice(0, 12) || "–", one.revision), cell(one.since ? moment(one.since) : "–"), cell(number(one.images)), cell(number(one.failed)),
        cell(latency(one.p50)), cell(latency(one.p95))),
    )),
  );
}

function jobList(jobs) {
  const rows = jobs.slice(0, 8).map((job) => {
    const { done, failed, total, share: part, seconds_left: left } = job.progress;
    const counts = say("watch.items", { done: number(done), total: number(total) });
    const more = [counts, failed ? say("watch.items_failed", { count: number(failed) }) : "", left ? say("watch.seconds_left", { n: number(Math.round(left)) }) : "", job.error?.what ?? "", ...(job.notes ?? [])];
    return h(
      "li",
      {},
      h("span", { class: "job-name" }, h("strong", {}, job.task), " ", h("span", { class: "soft" }, `${job.model} · ${moment(job.created)}`)),
      h("span", { class: `pill ${job.state === "running" ? "running" : job.state === "done" ? "finished" : job.state === "queued" ? "" : "stopped"}` }, say(`watch.job_${job.state}`)),
      h("span", { class: "bar-of", "aria-hidden": "true" }, h("i", { style: `width:${100 * part}%` })),
      h("span", { class: "soft" }, more.filter(Boolean).join(" · ")),
    );
  });
  return [h("h3", {}, say("watch.jobs")), h("ul", {}, ...rows)];
}
