// Curves of several runs as SVG: drawn in the page's own colours, read with the mouse or with the arrow keys.
import { h } from "/static/dom.js";
import { say } from "/static/words.js";

const NARROW = 280; // pixels; a picture is drawn as wide as there is room, so that its words keep their size
const EDGE = { left: 52, right: 30, top: 14, bottom: 40 };
const MOST = 700; // points of a line; more are not seen
const GAP = 13; // between the letters at the ends of lines

function node(name, attributes = {}, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text) element.textContent = text;
  return element;
}

// Round numbers from low to high, about `count` of them.
export function ticks(low, high, count = 4) {
  const raw = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= raw - power * 1e-9);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k += 1) found.push(Number((k * step).toPrecision(12)));
  return found;
}

// As many points as can be seen: the mean of each stretch, so that no peak alone stands for many.
export function thin(points, most = MOST) {
  if (points.length <= most) return points;
  const size = points.length / most;
  return Array.from({ length: most }, (_, i) => {
    const part = points.slice(Math.floor(i * size), Math.floor((i + 1) * size));
    return [part[part.length - 1][0], part.reduce((sum, [, y]) => sum + y, 0) / part.length];
  });
}

// A moving mean whose weights fade: what a noisy loss does as a whole.
export function smooth(points, keep) {
  let sum = 0;
  let weight = 0;
  return points.map(([x, y]) => {
    sum = keep * sum + (1 - keep) * y;
    weight = keep * weight + (1 - keep);
    return [x, sum / weight];
  });
}

// The value of a line at x: that of the nearest point.
function near(points, x) {
  let best = null;
  for (const point of points) if (best === null || Math.abs(point[0] - x) < Math.abs(best[0] - x)) best = point;
  return best;
}

export class Curves {
  // title: what is drawn; pick: an element beside it, such as a choice of metrics.
  constructor(title, pick = null) {
    this.svg = node("svg", { class: "curves", role: "img", tabindex: "0" });
    this.reading = h("p", { class: "reading soft", "aria-live": "polite" });
    this.element = h("figure", { class: "curve-card" }, h("figcaption", {}, h("h3", {}, title), pick), this.svg, this.reading);
    this.title = title;
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", () => this.read(null));
    this.svg.addEventListener("keydown", (event) => this.key(event));
    this.svg.addEventListener("blur", () => this.read(null));
    this.wide = 560;
    new ResizeObserver(([entry]) => this.fit(entry.contentRect.width)).observe(this.svg);
  }

  fit(width) {
    const wide = Math.max(NARROW, Math.round(width));
    if (!width || wide === this.wide) return;
    this.wide = wide;
    if (this.drawn) this.draw(this.drawn);
  }

  // lines: [{ letter, colour, points, faint, dots }]; xText, yText: numbers as words; end: how far the axis goes at least;
  // marks: [{ y, text }], heights that mean something; floor: a height that is drawn in any case.
  draw(what) {
    const { lines, xName, xText, yText, empty, end, marks = [], floor = null } = (this.drawn = what);
    this.tall = Math.round(Math.min(320, Math.max(220, this.wide * 0.52)));
    this.svg.setAttribute("viewBox", `0 0 ${this.wide} ${this.tall}`);
    this.lines = lines.filter((line) => line.points.length);
    Object.assign(this, { xText, yText });
    this.svg.setAttribute("aria-label", this.spoken());
    this.svg.replaceChildren();
    if (!this.lines.length) {
      this.svg.append(node("text", { class: "none", x: this.wide / 2, y: this.tall / 2, "text-anchor": "middle" }, empty));
      return this.read(null);
    }
    this.scale(end, [...marks.map((mark) => mark.y), ...(floor === null ? [] : [floor])]);
    this.axes(xName);
    for (const mark of marks) this.mark(mark);
    for (const line of this.lines) this.line(line);
    this.letters();
    this.rule = node("g", { class: "rule" });
    this.svg.append(this.rule);
    this.read(this.at ?? null);
  }

  scale(end, heights) {
    const all = this.lines.flatMap(({ points, faint }) => [...points, ...(faint ?? [])]);
    const xs = all.map(([x]) => x);
    const ys = [...all.map(([, y]) => y), ...heights].sort((a, b) => a - b);
    // A single spike at the start must not press everything else flat.
    const top = ys.length > 40 ? Math.max(ys[Math.floor(ys.length * 0.98)], ...heights, ...this.lines.map((line) => line.points.at(-1)[1])) : ys.at(-1);
    const room = (top - ys[0]) * 0.06 || Math.abs(top) * 0.1 || 0.1;
    this.low = ys[0] >= 0 ? Math.max(0, ys[0] - room) : ys[0] - room;
    this.high = top + room;
    this.left = Math.min(0, ...xs);
    this.right = Math.max(end, ...xs);
    if (this.right <= this.left) this.right = this.left + 1;
    this.x = (x) => EDGE.left + ((x - this.left) / (this.right - this.left)) * (this.wide - EDGE.left - EDGE.right);
    this.y = (y) => this.tall - EDGE.bottom - ((Math.min(y, this.high) - this.low) / (this.high - this.low)) * (this.tall - EDGE.top - EDGE.bottom);
  }

  axes(xName) {
    for (const value of ticks(this.low, this.high)) {
      this.svg.append(node("line", { class: "grid", x1: EDGE.left, x2: this.wide - EDGE.right, y1: this.y(value), y2: this.y(value) }));
      this.svg.append(node("text", { class: "tick", x: EDGE.left - 8, y: this.y(value) + 4, "text-anchor": "end" }, this.yText(value)));
    }
    for (const value of ticks(this.left, this.right, 5)) {
      this.svg.append(node("text", { class: "tick", x: this.x(value), y: this.tall - EDGE.bottom + 18, "text-anchor": "middle" }, this.xText(value)));
    }
    this.svg.append(node("text", { class: "axis", x: (EDGE.left + this.wide - EDGE.right) / 2, y: this.tall - 4, "text-anchor": "middle" }, xName));
  }

  mark({ y, text }) {
    const g = node("g", { class: "mark" });
    g.append(node("line", { x1: EDGE.left, x2: this.wide - EDGE.right, y1: this.y(y), y2: this.y(y) }));
    g.append(node("text", { x: EDGE.left + 6, y: this.y(y) - 6 }, text));
    this.svg.append(g);
  }

  line({ colour, points, faint, dots }) {
    const path = (some) => thin(some).map(([x, y], i) => `${i ? "L" : "M"}${this.x(x).toFixed(1)},${this.y(y).toFixed(1)}`).join("");
    if (faint) this.svg.append(node("path", { class: `faint ${colour}`, d: path(faint) }));
    this.svg.append(node("path", { class: `line ${colour}`, d: path(points) }));
    if (dots && points.length <= 60) {
      for (const [x, y] of points) this.svg.append(node("circle", { class: `dot ${colour}`, cx: this.x(x), cy: this.y(y), r: points.length > 1 ? 3 : 4.5 }));
    }
  }

  // The letters of the runs at the ends of their lines, moved apart where they would lie on each other.
  letters() {
    const ends = this.lines.map((line) => ({ line, x: this.x(line.points.at(-1)[0]), y: this.y(line.points.at(-1)[1]) }));
    ends.sort((a, b) => a.y - b.y);
    let above = -Infinity;
    for (const end of ends) {
      end.y = above = Math.max(end.y, above + GAP);
    }
    for (const { line, x, y } of ends) {
      this.svg.append(node("text", { class: `letter ${line.colour}`, x: x + 9, y: Math.min(y, this.tall - EDGE.bottom) + 4.5 }, line.letter));
    }
  }

  point(event) {
    if (!this.lines?.length) return;
    const box = this.svg.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * this.wide;
    const part = Math.max(0, Math.min(1, (at - EDGE.left) / (this.wide - EDGE.left - EDGE.right)));
    this.read(this.left + part * (this.right - this.left));
  }

  key(event) {
    if (!this.lines?.length) return;
    const step = { ArrowRight: 0.02, ArrowLeft: -0.02, Home: -1, End: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    const at = (this.at ?? this.right) + step * (this.right - this.left);
    this.read(Math.max(this.left, Math.min(this.right, at)));
  }

  // Show what each line says at x; null for nowhere.
  read(x) {
    this.at = x;
    this.rule?.replaceChildren();
    if (x === null || !this.lines?.length) {
      this.reading.replaceChildren(this.lines?.length ? say("train.read") : "");
      return;
    }
    const found = this.lines.map((line) => [line, near(line.points, x)]);
    const nearest = found.reduce((a, b) => (Math.abs(b[1][0] - x) < Math.abs(a[1][0] - x) ? b : a))[1][0];
    this.rule.append(node("line", { x1: this.x(nearest), x2: this.x(nearest), y1: EDGE.top, y2: this.tall - EDGE.bottom }));
    const parts = found.filter(([, point]) => Math.abs(point[0] - nearest) <= (this.right - this.left) / 12);
    for (const [line, [px, py]] of parts) this.rule.append(node("circle", { class: `dot ${line.colour}`, cx: this.x(px), cy: this.y(py), r: 4 }));
    this.reading.replaceChildren(
      h("span", {}, this.xText(nearest, true)),
      ...parts.map(([line, [, y]]) => h("span", {}, h("b", { class: `swatch ${line.colour}` }, line.letter), this.yText(y, true))),
    );
  }

  spoken() {
    const ends = this.lines.map(({ letter, points }) => `${letter} ${this.yText(points.at(-1)[1], true)}`);
    return [this.title, ...ends].join(", ");
  }
}
