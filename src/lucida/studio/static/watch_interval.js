// An interval as a picture: what is still possible, and where "the same" lies.

const W = 560;
const H = 74;
const EDGE = 14;

function node(name, attributes = {}, text = "") {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text) element.textContent = text;
  return element;
}

// low, high: within [least, most]; zero: what is marked; ends: words at both sides; text: numbers as words.
export function interval({ low, high, least, most, zero, ends, text, title, sure }) {
  const svg = node("svg", { class: sure ? "interval sure" : "interval", viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": title });
  const x = (value) => EDGE + ((value - least) / (most - least)) * (W - 2 * EDGE);
  svg.append(node("line", { class: "track", x1: EDGE, x2: W - EDGE, y1: 32, y2: 32 }));
  svg.append(node("rect", { class: "span", x: x(low), y: 24, width: Math.max(3, x(high) - x(low)), height: 16, rx: 5 }));
  if (zero !== undefined) svg.append(node("line", { class: "zero", x1: x(zero), x2: x(zero), y1: 14, y2: 50 }));
  const near = x(high) - x(low) < 90;
  const label = (value, anchor) => node("text", { class: "end", x: Math.max(EDGE, Math.min(W - EDGE, x(value))), y: 15, "text-anchor": anchor }, text(value));
  svg.append(label(low, near || x(low) > W - 120 ? "end" : x(low) < 60 ? "start" : "middle"));
  svg.append(label(high, near || x(high) < 120 ? "start" : x(high) > W - 60 ? "end" : "middle"));
  svg.append(node("text", { class: "side", x: EDGE, y: 67 }, ends[0]));
  svg.append(node("text", { class: "side", x: W - EDGE, y: 67, "text-anchor": "end" }, ends[1]));
  return svg;
}
