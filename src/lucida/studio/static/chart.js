// A small chart as SVG: one line, two axes, readable in both themes and by a screen reader.

const W = 340;
const H = 190;
const EDGE = { left: 44, right: 14, top: 12, bottom: 36 };

function node(name, attributes = {}, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text) element.textContent = text;
  return element;
}

// The smallest round number that is at least x, and whose half is round too.
function nice(x) {
  const power = 10 ** Math.floor(Math.log10(Math.max(x, 1)));
  return [1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((top) => top >= x - 1e-9);
}

// points: [x, y] rising in x; top: largest y; step: hold y until the next point; end: where the line goes on to.
export function chart({ points, top, end, step, title, xName, xText, yText }) {
  const wide = nice(Math.max(end, 10));
  const x = (value) => EDGE.left + (value / wide) * (W - EDGE.left - EDGE.right);
  const y = (value) => H - EDGE.bottom - (value / Math.max(top, 1e-9)) * (H - EDGE.top - EDGE.bottom);
  const svg = node("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", class: "chart", "aria-label": title });
  svg.append(node("title", {}, title));
  for (const part of [0, 0.5, 1]) {
    svg.append(node("line", { class: "grid", x1: EDGE.left, x2: W - EDGE.right, y1: y(part * top), y2: y(part * top) }));
    svg.append(node("text", { class: "tick", x: EDGE.left - 7, y: y(part * top) + 4, "text-anchor": "end" }, yText(part * top)));
  }
  for (const part of [0, 0.5, 1]) {
    const anchor = part === 0 ? "start" : part === 1 ? "end" : "middle";
    svg.append(node("text", { class: "tick", x: x(part * wide), y: H - EDGE.bottom + 16, "text-anchor": anchor }, xText(part * wide)));
  }
  svg.append(node("text", { class: "axis", x: (EDGE.left + W - EDGE.right) / 2, y: H - 4, "text-anchor": "middle" }, xName));
  if (!points.length) return svg;
  const path = trace(points, end, step, x, y);
  const last = points[points.length - 1];
  const right = x(step ? Math.max(end, last[0]) : last[0]);
  svg.append(node("path", { class: "area", d: `${path} L${right},${y(0)} L${x(points[0][0])},${y(0)} Z` }));
  svg.append(node("path", { class: "line", d: path }));
  svg.append(node("circle", { class: "dot", cx: right, cy: y(last[1]), r: 4.5 }));
  return svg;
}

function trace(points, end, step, x, y) {
  let path = `M${x(points[0][0])},${y(points[0][1])}`;
  let before = points[0];
  for (const point of points.slice(1)) {
    if (step) path += ` L${x(point[0])},${y(before[1])}`;
    path += ` L${x(point[0])},${y(point[1])}`;
    before = point;
  }
  if (step && end > before[0]) path += ` L${x(end)},${y(before[1])}`;
  return path;
}
