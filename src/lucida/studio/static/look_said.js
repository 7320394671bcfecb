// What every run said of the image: each run a switch with a colour; its words stand here, its objects on the image.
import { h } from "/static/dom.js";
import { COLOURS } from "/static/look_stage.js";
import { number, percent, say, sure } from "/static/words.js";

const YEAR = 365 * 24 * 3600;
const REMEMBERED = 60; // runs

export class Said {
  constructor(changed) {
    this.changed = changed; // (layers, least, names)
    this.onpoint = () => {};
    this.hidden = false;
    const [least, names, ...runs] = (document.cookie.match(/(?:^|; )lucida-look=([^;]*)/)?.[1] ?? "50.y").split(".");
    this.least = Math.min(100, Number(least) || 0) / 100;
    this.names = names !== "n";
    this.switched = new Map(runs.filter(Boolean).map((one) => [one.slice(1), one[0] === "+"]));
    this.parts = [];
    this.opened = new Set(); // questions whose earlier runs are listed
    this.figure = h("output", {});
    this.slider = h("input", { type: "range", min: 0, max: 0.99, step: 0.01, value: this.least, "aria-label": say("look.least"), oninput: () => this.set({ least: Number(this.slider.value) }) });
    this.named = h("input", { type: "checkbox", onchange: () => this.set({ names: this.named.checked }) });
    this.named.checked = this.names;
    this.tools = h("div", { class: "tools" }, h("label", { class: "slide" }, h("span", {}, say("look.least")), this.slider, this.figure), h("label", { class: "tick" }, this.named, say("look.names")));
    this.list = h("div", { class: "said" });
    this.element = h("section", {}, this.tools, this.list);
  }

  set(values) {
    Object.assign(this, values);
    this.remember();
    this.redraw();
  }

  // A cookie holds for every port and the next run of the program, as theme and language do.
  remember() {
    const runs = [...this.switched].slice(-REMEMBERED).map(([run, on]) => (on ? "+" : "-") + run);
    document.cookie = `lucida-look=${[Math.round(this.least * 100), this.names ? "y" : "n", ...runs].join(".")}; path=/; max-age=${YEAR}; samesite=strict`;
  }

  show({ said }) {
    this.parts = said;
    const every = said.flatMap(({ runs }) => runs);
    this.runs = [...every.filter(({ latest }) => latest), ...every.filter(({ latest }) => !latest)]; // as the keys count them
    const scored = this.runs.some(({ objects, whole }) => objects.length || whole.kind === "tags");
    this.tools.hidden = !scored;
    this.redraw();
  }

  on(run) {
    return this.switched.get(short(run.run)) ?? run.latest;
  }

  toggle(place) {
    const run = this.runs[place];
    if (!run) return;
    const now = !this.on(run);
    this.switched.delete(short(run.run));
    this.switched.set(short(run.run), now);
    this.set({ hidden: false });
  }

  // Hide all that is drawn over the image, and show it again.
  hide() {
    this.hidden = !this.hidden;
    this.redraw();
  }

  redraw() {
    this.figure.textContent = percent(this.least, 0);
    const layers = this.hidden ? [] : this.runs.filter((run) => this.on(run)).map((run) => ({ run: run.run, objects: painted(run) }));
    const held = document.activeElement?.dataset?.place;
    this.list.replaceChildren(...(this.parts.length ? this.parts.map((part) => this.part(part)) : [h("p", { class: "soft" }, say("look.nothing"))]));
    if (held !== undefined) this.list.querySelector(`[data-place="${held}"]`)?.focus();
    this.changed(layers, this.least, this.names);
  }

  part({ question, people, kept, looked, runs }) {
    const person = people && h("p", { class: "people" }, people.label === null ? say("look.people_wrong") : say(people.same ? "look.people_same" : "look.people", { label: people.label }), people.disagreement ? ` ${say("look.apart")}` : null);
    const [newest, older] = [runs.filter(({ latest }) => latest), runs.filter(({ latest }) => !latest)];
    const open = older.some((run) => this.on(run)) || this.opened.has(question);
    const ontoggle = (event) => (event.target.open ? this.opened.add(question) : this.opened.delete(question));
    const earlier = older.length ? h("details", { open, ontoggle }, h("summary", { class: "soft" }, say("look.earlier", { count: number(older.length) })), ...older.map((run) => this.run(run, question))) : null;
    const whole = looked ? h("p", { class: "people" }, say("look.looked")) : null;
    const proven = kept && h("p", { class: "people kept" }, say("look.kept_by", { label: kept.label ?? "–" }));
    return h("article", { class: "question" }, h("h2", {}, question), person, proven, whole, ...newest.map((run) => this.run(run, question)), earlier);
  }

  run(run, question) {
    const place = this.runs.indexOf(run);
    const on = this.on(run);
    const about = [run.task, new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium" }).format(run.started * 1000)].join(" · ");
    const button = h(
      "button",
      { type: "button", class: "switch", "aria-pressed": String(on), "data-place": place, title: run.run, onclick: () => this.toggle(place) },
      h("span", { class: "swatch", "aria-hidden": "true" }),
      h("span", { class: "model" }, run.model || run.run),
      h("span", { class: "soft" }, about),
      place < 9 ? h("kbd", { "aria-hidden": "true" }, String(place + 1)) : null,
    );
    button.style.setProperty("--colour", colour(run));
    const asked = run.asked && run.asked !== question ? h("p", { class: "soft" }, run.asked) : null;
    return h("div", { class: "run" }, button, ...(on ? [asked, ...WHOLE[run.whole.kind](run.whole, this.least), this.counts(run)] : []));
  }

  // How many objects of each class are sure enough; pointing at a class shows where they are.
  counts(run) {
    if (!run.objects.length) return run.whole.kind === "none" ? h("p", { class: "soft" }, say("look.no_objects")) : null;
    const enough = run.objects.filter(({ score }) => score === null || score >= this.least);
    if (run.whole.kind === "verdict") return null; // its rules say it
    if (run.task === "read") return h("ol", { class: "lines" }, ...enough.map((one) => this.line(run, one)));
    const labels = [...new Set(run.objects.map(({ label }) => label))];
    const colours = new Map(painted(run).map((one) => [one.label, one.colour]));
    const rows = labels.map((label) => {
      const of = (objects) => objects.filter((one) => one.label === label).length;
      const [count, all] = [of(enough), of(run.objects)];
      const mark = h("span", { class: "dot" });
      mark.style.setProperty("--colour", colours.get(label) ?? "transparent");
      return this.pointing(run, label, "li", mark, label, " ", h("b", {}, run.whole.kind === "shares" ? percent(run.whole.shares[label] ?? 0) : number(count)), count < all ? h("span", { class: "soft" }, `/ ${number(all)}`) : null);
    });
    const people = run.objects.filter(({ by }) => by === "added" || by === "corrected").length;
    const notes = [people && say("look.corrected", { count: people }), run.gone > 0 && say("look.gone", { count: run.gone })].filter(Boolean);
    return h("div", {}, h("ul", { class: "counts" }, ...rows), notes.length ? h("p", { class: "people" }, notes.join(" ")) : null);
  }

  line(run, one) {
    return this.pointing(run, one.label, "li", one.label);
  }

  pointing(run, label, name, ...content) {
    return h(name, { onpointerenter: () => this.onpoint(run.run, label), onpointerleave: () => this.onpoint(null) }, ...content);
  }
}

function short(run) {
  return run.slice(-11);
}

function colour({ number }) {
  return COLOURS[number % COLOURS.length];
}

// The objects of a run with their colours: one for all, or one a class where every pixel has a class.
function painted(run) {
  const labels = [...new Set(run.objects.map(({ label }) => label))];
  const each = run.whole.kind === "shares" && run.objects.every(({ box }) => !box);
  const drawn = run.objects.filter(({ label }) => !each || !/^_*background_*$/i.test(label));
  return drawn.map((one) => ({
    ...one,
    colour: each ? COLOURS[(run.number + labels.indexOf(one.label)) % COLOURS.length] : colour(run),
    title: [one.label, one.score === null ? null : sure(one.score), one.by && { added: say("look.by_added"), corrected: say("look.by_corrected"), confirmed: say("look.by_confirmed"), certified: say("look.by_certified") }[one.by]].filter(Boolean).join(" · "),
  }));
}

function words(text, score) {
  return h("p", { class: "words" }, text, score === null || score === undefined ? null : h("span", { class: "soft" }, ` ${sure(score)}`));
}

function why(reason) {
  return reason ? h("p", { class: "soft reason" }, reason) : null;
}

// How each kind of statement about the whole image is said.
const WHOLE = {
  none: () => [],
  shares: () => [],
  class: ({ label, score, runner_up, reason }) => [words(label, score), runner_up.length ? h("p", { class: "soft" }, runner_up.slice(0, 3).map(([name, share]) => `${name} ${sure(share)}`).join(" · ")) : null, why(reason)],
  tags: ({ tags }, least) => [h("ul", { class: "counts" }, ...tags.filter(([, score]) => score >= least).map(([name, score]) => h("li", {}, name, " ", h("b", {}, sure(score)))))],
  odd: ({ score, odd }) => [words(say(odd ? "look.odd" : "look.normal", { score: score.toFixed(2) }))],
  text: ({ text, score, reason, before, cost }) => [
    ...(before ?? []).map(([question, answer]) => h("p", { class: "soft" }, `${question} — ${answer}`)),
    words(text, score),
    why(reason),
    cost ? h("p", { class: "soft" }, say("look.cost", { cost: dollars(cost) })) : null,
  ],
  description: ({ title, alternative, keywords, scene }) => [h("p", { class: "words" }, title), h("p", {}, alternative), h("p", { class: "soft" }, [scene, ...keywords].filter(Boolean).join(" · "))],
  verdict: ({ verdict, score, rules }) => [
    h("p", { class: `words verdict ${verdict}` }, { unsure: say("look.unsure"), breaks: say("look.breaks"), ok: say("look.ok") }[verdict] ?? verdict, h("span", { class: "soft" }, ` ${sure(score)}`)),
    ...rules.map((one) => h("p", { class: "reason" }, h("b", {}, one.rule), ` ${sure(one.score)}`, one.reason ? h("span", { class: "soft" }, ` ${one.reason}`) : null)),
  ],
};

export function dollars(cost) {
  return cost < 0.01 ? cost.toFixed(5) : cost.toFixed(3);
}
