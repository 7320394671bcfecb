// The words of the page in its language, and numbers as that language writes them.

let table = {};
let tag = "en";
let units = ""; // what is reviewed, in the plural: fills {units} wherever it stands

export function readJson(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

export function loadWords({ language, table: words }) {
  table = words;
  tag = language;
}

export function setUnit(unit) {
  units = table[`unit.${unit}`] ?? unit;
}

// The text of a key with its {placeholders} filled in; `key_one` is used where count is 1.
export function say(key, values = {}) {
  const text = (values.count === 1 && table[`${key}_one`]) || table[key] || key;
  return text.replace(/\{(\w+)\}/g, (all, name) => (name in values ? values[name] : name === "units" ? units : all));
}

// A note of the library, in the page's language where it has words for it: { text, key, values }.
export function told({ text, key, values = {} }) {
  if (!table[`note.${key}`]) return text;
  return say(`note.${key}`, Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value?.text === undefined ? value : told(value)])));
}

export function number(n) {
  return new Intl.NumberFormat(tag).format(n);
}

// A share as percent; at most one digit behind the point, and only where it says something.
export function percent(share, digits = 1) {
  return new Intl.NumberFormat(tag, { style: "percent", maximumFractionDigits: digits }).format(share);
}

// A bound is rounded up: what is promised must be what is proven.
export function bound(share) {
  return percent(Math.ceil(share * 1000 - 1e-9) / 1000);
}

// How sure the model is; never 100 % and never 0 %, since it never is.
export function sure(score) {
  if (score >= 0.995) return ">" + percent(0.99, 0);
  if (score < 0.005) return "<" + percent(0.01, 0);
  return percent(score, 0);
}
