// What a run's rows say, as lines to draw, and every figure as words.
import { number, percent, say } from "/static/words.js";

const SHARES = {
  accuracy: "metric.accuracy", balanced_accuracy: "metric.balanced_accuracy", macro_f1: "metric.macro_f",
  average_precision: "metric.average_precision", map: "metric.map", map_50: "metric.map_half", miou: "metric.miou",
  mean_iou: "metric.miou", auroc: "metric.auroc", f1: "metric.f", exact: "metric.exact", iou: "metric.iou",
  calibration_error: "metric.calibration_error", recall: "metric.recall", precision: "metric.precision",
};
const OTHERS = { loss: "metric.loss", temperature: "metric.temperature", log_loss: "metric.log_loss" };
const VALIDATION = "validation/";

export function metricName(name) {
  const key = SHARES[name] ?? OTHERS[name];
  if (key) return say(key);
  const plain = name.replaceAll("_", " ");
  return plain.charAt(0).toUpperCase() + plain.slice(1);
}

export function metricValue(name, value) {
  if (value === null || value === undefined) return "–";
  if (!(name in SHARES)) return figure(value);
  const options = { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 };
  return new Intl.NumberFormat(document.documentElement.lang || "en", options).format(value);
}

// The same as short as beside an axis.
export function metricTick(name, value) {
  return name in SHARES ? percent(value) : figure(value);
}

// Less of these is better.
export function lessIsBetter(name) {
  return /loss|error/.test(name);
}

export function figure(value) {
  if (value === null || value === undefined) return "–";
  return new Intl.NumberFormat(document.documentElement.lang || "en", { maximumSignificantDigits: 3 }).format(value);
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 60) return say("train.seconds", { n: number(Math.round(seconds)) });
  if (seconds < 3600) return say("train.minutes", { n: number(Math.round(seconds / 60)) });
  return say("train.hours", { n: new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 }).format(seconds / 3600) });
}

export function bytes(count) {
  if (!count) return "–";
  return `${new Intl.NumberFormat(document.documentElement.lang, { maximumSignificantDigits: 2 }).format(count / 1e6)} MB`;
}

export function moment(seconds) {
  const options = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" };
  return new Intl.DateTimeFormat(document.documentElement.lang || "en", options).format(new Date(seconds * 1000));
}

const AXES = { step: (row) => row.step, time: (row) => row.seconds / 60, epoch: (row) => row.epoch };
export const AXIS_NAMES = { step: "train.steps", time: "train.axis_minutes", epoch: "train.epochs" };

// The points of one value over one axis; rows that do not have it, or where it was no number, are passed over.
export function points(rows, name, axis) {
  const x = AXES[axis];
  const found = [];
  for (const row of rows) if (row[name] !== undefined && row[name] !== null) found.push([x(row), row[name]]);
  return found;
}

// What was measured on the validation part, by name, in the order of the first evaluation.
export function measured(everyRows) {
  const names = new Set();
  for (const rows of everyRows) {
    for (const row of rows) for (const key of Object.keys(row)) if (key.startsWith(VALIDATION)) names.add(key.slice(VALIDATION.length));
  }
  return [...names];
}

export function validation(rows, name, axis) {
  return points(rows, VALIDATION + name, axis);
}
