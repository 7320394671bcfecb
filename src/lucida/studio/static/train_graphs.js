// The two pictures of the runs that are chosen: the loss, and what was measured on the validation part.
import { Curves, smooth } from "/static/curves.js";
import { h } from "/static/dom.js";
import { AXIS_NAMES, figure, measured, metricName, metricTick, metricValue, points, validation } from "/static/train_series.js";
import { number, say } from "/static/words.js";

const KEEP = 0.85; // of the moving mean of a loss

export class Graphs {
  constructor() {
    this.axis = "step";
    this.metric = null;
    this.runs = [];
    this.pick = h("select", { "aria-label": say("train.metric"), onchange: () => this.measure(this.pick.value) });
    this.loss = new Curves(say("train.loss"));
    this.value = new Curves(say("train.validation"), this.pick);
    this.axes = h("div", { class: "axes", role: "group", "aria-label": say("train.over") });
    for (const [axis, key] of Object.entries(AXIS_NAMES)) {
      this.axes.append(h("button", { type: "button", "data-axis": axis, onclick: () => this.over(axis) }, say(key)));
    }
    this.chosen = h("p", { class: "soft" });
    this.element = h("section", { class: "graphs", "aria-label": say("train.curves") },
      h("div", { class: "over" }, h("h2", {}, say("train.curves")), this.axes), h("div", { class: "pair" }, this.loss.element, this.value.element));
  }

  over(axis) {
    this.axis = axis;
    this.draw(this.runs);
  }

  turn() {
    const axes = Object.keys(AXIS_NAMES);
    this.over(axes[(axes.indexOf(this.axis) + 1) % axes.length]);
  }

  measure(name) {
    this.metric = name;
    this.draw(this.runs);
  }

  draw(runs) {
    this.runs = runs;
    for (const button of this.axes.children) button.setAttribute("aria-pressed", button.dataset.axis === this.axis);
    this.choices();
    const every = runs.flatMap((run) => points(run.points, "step", this.axis).slice(-1).map(([x]) => x));
    const axis = {
      end: Math.max(0, ...every), // both pictures go as far
      xName: say(AXIS_NAMES[this.axis]),
      xText: (x, whole) => (whole ? `${say(AXIS_NAMES[this.axis])} ${number(Math.round(x * 100) / 100)}` : number(x)),
    };
    const base = ({ letter }) => ({ letter, colour: `c${letter.toLowerCase()}` });
    const losses = runs.map((run) => {
      const found = points(run.points, "loss", this.axis);
      return { ...base(run), points: found.length > 8 ? smooth(found, KEEP) : found, faint: found.length > 8 ? found : null };
    });
    const empty = say(runs.length ? "train.no_rows" : "train.no_choice");
    this.loss.draw({ lines: losses, ...axis, yText: figure, empty });
    const values = runs.map((run) => ({ ...base(run), points: this.metric ? validation(run.points, this.metric, this.axis) : [], dots: true }));
    const none = say(runs.length ? "train.no_validation" : "train.no_choice");
    this.value.draw({ lines: values, ...axis, yText: (y, whole) => (whole ? metricValue(this.metric, y) : metricTick(this.metric, y)), empty: none });
  }

  // The metric that chose the weights comes first; a choice is kept as long as some run has it.
  choices() {
    const names = measured(this.runs.map((run) => run.points));
    const monitor = this.runs.find((run) => names.includes(run.monitor))?.monitor;
    if (!names.includes(this.metric)) this.metric = monitor ?? names[0] ?? null;
    const shown = [...this.pick.options].map((option) => option.value);
    if (shown.join() !== names.join()) this.pick.replaceChildren(...names.map((name) => h("option", { value: name }, metricName(name))));
    this.pick.value = this.metric ?? "";
    this.pick.hidden = names.length < 2;
  }
}
