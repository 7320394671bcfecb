// Drift: the evidence that live images have changed, and alarms: what changed, which images, what to do.
import { Curves } from "/static/curves.js";
import { confirm } from "/static/dialogs.js";
import { h } from "/static/dom.js";
import { lines } from "/static/problem.js";
import { Drawn, changed, command, moment, sentence, share } from "/static/watch_text.js";
import { number, percent, say } from "/static/words.js";

const LETTERS = ["ca", "cb", "cc", "cd", "ce", "cf", "ca", "cb"];
const TEN = Math.log(10);
const FLOOR = -6; // factors of ten below which evidence is none
const CEILING = 2; // above which it is no use to tell how clear it is

export class Drift {
  // post(path): resolves to what came of it, or an error; look(): asks for the view anew.
  constructor(post, look) {
    this.post = post;
    this.look = look;
    this.made = new Map(); // alarm -> its queue, or why there is none
    this.claim = new Drawn(h("div", { class: "stands" }));
    this.curve = new Curves(say("drift.evidence"));
    this.alarms = new Drawn(h("div", { class: "alarms" }));
    this.element = h("section", { class: "part", "aria-label": say("drift.title") }, h("h2", {}, say("drift.title")), this.claim.element, this.curve.element, this.alarms.element);
  }

  draw(view) {
    this.view = view;
    const { watch, refused, server, remembered } = view;
    this.element.hidden = !watch && (remembered || server.state !== "up");
    const told = watch && { ...watch, accuracy: null, curves: null, alarms: null };
    this.claim.draw([told, refused.watch, remembered], () => this.stands(view));
    this.curve.element.hidden = !watch?.curves.length;
    if (watch?.curves.length) this.drawCurve(watch);
    this.drawAlarms();
  }

  // Where it stands, in words.
  stands({ watch, refused, server, remembered }) {
    if (refused.watch) return [h("p", { class: "soft" }, say("drift.no_scope"))];
    if (!watch || watch.phase === "off") {
      if (remembered) return [h("p", { class: "soft" }, say("drift.was_off"))];
      return [h("p", {}, say("drift.off")), command(`lucida serve embedded --catalog ${server.catalog.includes(" ") ? `'${server.catalog}'` : server.catalog} --watch live`), h("p", { class: "soft" }, say("drift.off_reference"))];
    }
    if (watch.phase === "failed") return [h("p", { class: "claim not" }, say("drift.failed")), h("p", { class: "soft" }, watch.problem)];
    if (watch.phase === "loading") return [h("p", { class: "soft" }, say("drift.loading"))];
    const { reference, images, passed, changed: words } = watch;
    if (watch.phase === "reference") {
      const done = Math.min(1, reference.images / Math.max(1, reference.wanted));
      return [
        h("p", { class: "claim open" }, say("drift.collecting", { images: number(reference.images), wanted: number(reference.wanted) })),
        h("div", { class: "bar-of", role: "progressbar", "aria-valuenow": Math.round(100 * done), "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": say("drift.reference") }, h("i", { style: `width:${100 * done}%` })),
        reference.note ? h("p", { class: "soft" }, note(reference.note)) : null,
      ];
    }
    const against = say("drift.against", { images: number(images), reference: about(reference), of: number(reference.images) });
    const claim = watch.phase === "alarm"
      ? h("p", { class: "claim not" }, say("drift.something", { words: words.map(changed).join(say("drift.comma")) }))
      : h("p", { class: images ? "claim" : "claim open" }, say(images ? "drift.nothing" : "drift.waiting"));
    return [
      claim,
      h("p", {}, against),
      h("p", { class: "soft" }, say("drift.promise", { level: percent(watch.false_alarms) })),
      reference.note ? h("p", { class: "soft" }, note(reference.note)) : null,
      passed ? h("p", { class: "soft" }, say("drift.passed", { count: number(passed) })) : null,
    ];
  }

  drawCurve(watch) {
    const key = JSON.stringify(watch.curves);
    if (key === this.curves) return;
    this.curves = key;
    const scaled = (value) => Math.min(CEILING, Math.max(FLOOR, value / TEN));
    const rows = watch.curves.map(({ name, points }, i) => ({ letter: "ABCDEFGH"[i], colour: LETTERS[i], name, points: points.map(([row, value]) => [row, scaled(value)]) }));
    const yText = (value, whole) => (whole ? say("drift.times", { part: part(value) }) : part(value));
    this.curve.draw({
      lines: rows, end: watch.images, xName: say("drift.images"), xText: (x, whole) => (whole ? say("drift.after", { n: number(Math.round(x)) }) : number(Math.round(x))),
      yText, marks: [{ y: 0, text: say("drift.threshold") }], empty: say("watch.soon"),
    });
    const names = rows.map((row) => h("span", {}, h("b", { class: `swatch ${row.colour}` }, row.letter), named(row.name)));
    this.legend?.remove();
    this.legend = h("p", { class: "legend-of" }, ...names, watch.numbers > rows.length ? h("span", { class: "soft" }, say("drift.others", { count: number(watch.numbers - rows.length) })) : null);
    this.curve.element.append(this.legend);
  }

  drawAlarms() {
    const { watch, remembered, server } = this.view;
    const live = !remembered && server.state === "up";
    this.alarms.draw([watch?.alarms, watch?.keep_images, live, [...this.made]], () => (watch?.alarms ?? []).map((one) => this.alarm(one, live)));
  }

  alarm(one, live) {
    const made = this.made.get(one.id);
    const title = sentence(one.changed.map(changed).join(say("drift.comma")));
    return h(
      "article",
      { class: one.open ? "alarm" : "alarm closed", "data-alarm": one.id },
      h("h3", {}, title, " ", h("small", { class: "soft" }, say(one.open ? "drift.open" : "drift.closed"))),
      h("p", {}, say("drift.since", { since: moment(one.since), raised: moment(one.time), rows: number(one.rows) })),
      signals(one.signals),
      // Of a few images shares always differ: they are told where the mix itself has changed.
      one.classes.length && one.signals.some((signal) => signal.name === "class") ? mix(one.classes) : null,
      one.expired.length ? expired(one.expired) : null,
      pictures(one),
      h("div", { class: "doing" },
        h("button", { type: "button", class: "primary", "data-name": `queue-${one.id}`, disabled: !live || made === "waiting", onclick: () => this.queue(one.id) }, say(made === "waiting" ? "drift.queueing" : one.queue ? "drift.queue_more" : "drift.queue")),
        one.open ? h("button", { type: "button", class: "plain", "data-name": `close-${one.id}`, disabled: !live, onclick: () => this.settle(one.id) }, say("drift.close")) : null),
      this.queued(one, made),
    );
  }

  // What has become of the button: a queue, with what comes next; or why there is none.
  queued(one, made) {
    if (made?.error) return h("div", { class: "claim not", role: "alert" }, ...lines(made.error).map((line) => h("p", {}, line)));
    const question = made?.question ?? one.queue;
    if (!question) return null;
    const counts = made?.question ? say(made.lost ? "drift.queued_lost" : "drift.queued", { images: number(made.images), lost: number(made.lost) }) : say("drift.queue_there");
    // A queue is often too small to prove anything of; it is there to be learned from.
    const review = made?.review ?? `lucida review --question ${question} --teach 1`;
    const train = made?.train ?? `lucida train classify --question ${question} --include reviewed`;
    return h(
      "div",
      { class: "queued", role: "status" },
      h("p", { class: "claim" }, counts),
      h("ol", {},
        h("li", {}, h("p", {}, say("drift.step_review")),
          h("div", { class: "doing" }, h("button", { type: "button", class: "primary", "data-name": `review-${one.id}`, disabled: made?.opening, onclick: () => this.review(one.id, question) }, say(made?.opening ? "drift.opening" : "drift.review"))),
          made?.refused ? h("p", { class: "soft", role: "alert" }, lines(made.refused).join(" ")) : null,
          h("p", { class: "soft" }, say("drift.or_shell")), command(review)),
        h("li", {}, h("details", { "data-name": `train-${one.id}` }, h("summary", {}, say("drift.train")), h("p", {}, say("drift.train_how")), command(train), h("p", { class: "soft" }, say("drift.train_then")), command("lucida serve RUN --watch live")))),
    );
  }

  async queue(alarm) {
    this.made.set(alarm, "waiting");
    this.drawAlarms();
    this.made.set(alarm, await this.post(`/api/watch/alarms/${encodeURIComponent(alarm)}/queue`));
    this.drawAlarms();
    this.element.querySelector(`[data-name="review-${CSS.escape(alarm)}"]`)?.focus({ preventScroll: true });
    this.look();
  }

  async review(alarm, question) {
    const before = this.made.get(alarm) ?? {};
    this.made.set(alarm, { ...before, opening: true, refused: null });
    this.drawAlarms();
    const found = await this.post("/api/watch/review", { question });
    this.made.set(alarm, { ...before, opening: false, refused: found.error ?? null });
    this.drawAlarms();
    if (found.url) location.assign(found.url);
  }

  async settle(alarm) {
    if (!(await confirm({ title: say("drift.close_title"), text: say("drift.close_text"), yes: say("drift.close") }))) return;
    const found = await this.post(`/api/watch/alarms/${encodeURIComponent(alarm)}/close`);
    if (found.error) {
      this.made.set(alarm, found);
      this.drawAlarms();
    }
    this.look();
  }
}

// Evidence as a part of what an alarm needs.
function part(value) {
  if (value <= FLOOR + 1e-6) return "0";
  if (value >= CEILING - 1e-6) return `>×${number(10 ** CEILING)}`;
  if (Math.abs(value) < 0.01) return "1";
  const power = 10 ** Math.abs(value);
  const round = number(Number(power.toPrecision(power < 10 ? 2 : 1)));
  return value < 0 ? `1/${round}` : `×${round}`;
}

function named(name) {
  const component = /^component (\d+)$/.exec(name);
  if (component) return say("drift.component", { n: component[1] });
  const found = say(`drift.of_${name}`);
  return found === `drift.of_${name}` ? name : found;
}

function about(reference) {
  return reference.given === "live" ? say("drift.first_images") : reference.about;
}

function note(text) {
  return /^The reference is what came first/.test(text) ? say("drift.note_live") : text;
}

// Where the middle of what came since lies among the reference: in the middle, if nothing has changed.
function signals(rows) {
  // Classes have no order: there is no middle of them.
  const known = rows.filter((one) => one.name !== "class" && one.median_rank !== null && one.median_rank !== undefined);
  if (!known.length) return null;
  const row = ({ name, words, median_rank: rank }) =>
    h("div", {}, h("dt", {}, named(name)), h("dd", {},
      h("span", { class: "rank", "aria-hidden": "true" }, h("i", { style: `left:${100 * rank}%` })),
      h("span", {}, h("strong", {}, changed(words)), h("span", { class: "soft" }, ` ${say(rank < 0.5 ? "drift.below" : "drift.above", { share: percent(rank < 0.5 ? 1 - rank : rank, 0) })}`))));
  return h("dl", { class: "signals" }, ...known.map(row));
}

function mix(rows) {
  const text = rows.map(({ label, before, now }) => say("drift.mix", { label, before: percent(before), now: percent(now) })).join(say("drift.comma"));
  return h("p", {}, h("strong", {}, say("drift.classes")), " ", text);
}

function expired(paths) {
  const name = (path) => path.split(/[\\/]/).slice(-2).join("/");
  return h("div", { class: "claim not expired" }, h("p", {}, h("strong", {}, say("drift.expired", { count: paths.length }))), h("p", {}, say("drift.expired_what")), h("ul", {}, ...paths.map((path) => h("li", { title: path }, h("code", {}, name(path))))));
}

function pictures({ images }) {
  if (!images.length) return null;
  const shown = images.filter((one) => one.kept);
  const grid = shown.map(({ image, label, score, time }) => {
    const picture = h("img", { src: `/api/watch/image/${image}`, alt: label || say("drift.image"), loading: "lazy", draggable: "false" });
    picture.addEventListener("error", () => picture.replaceWith(h("span", { class: "broken" }, say("drift.gone"))), { once: true });
    return h("li", {}, h("figure", {}, h("div", { class: "thumb" }, picture), h("figcaption", {}, h("strong", {}, label || "–"), h("span", { class: "soft" }, [score === null ? "" : share(score, 0), moment(time)].filter(Boolean).join(" · ")))));
  });
  return h("div", { class: "pictures" },
    h("h4", {}, say("drift.pictures")),
    grid.length ? h("ul", { class: "grid" }, ...grid) : null,
    shown.length < images.length ? h("p", { class: "soft" }, say("drift.not_kept", { count: number(images.length - shown.length), total: number(images.length) })) : null);
}
