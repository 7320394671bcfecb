// How the Watch page writes times, shares and commands, and draws only what has changed.
import { h } from "/static/dom.js";
import { percent, say } from "/static/words.js";

const tag = () => document.documentElement.lang || "en";

export function figure(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  return new Intl.NumberFormat(tag(), { maximumSignificantDigits: digits }).format(value);
}

// How long an answer took.
export function latency(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  return seconds < 0.9995 ? say("watch.ms", { n: figure(seconds * 1000) }) : say("watch.s", { n: figure(seconds) });
}

export function share(value, digits = 1) {
  return value === null || value === undefined ? "–" : percent(value, digits);
}

// A lower bound is rounded down and an upper one up: what is promised must be what is proven.
export const atLeast = (value) => percent(Math.floor(value * 1000 + 1e-9) / 1000);
export const atMost = (value) => percent(Math.ceil(value * 1000 - 1e-9) / 1000);

// A moment: seconds since 1970, or as ISO 8601; only the time where it was today.
export function moment(at) {
  const when = new Date(typeof at === "number" ? at * 1000 : at);
  const today = when.toDateString() === new Date().toDateString();
  const day = today ? {} : { month: "short", day: "numeric" };
  return new Intl.DateTimeFormat(tag(), { ...day, hour: "2-digit", minute: "2-digit" }).format(when);
}

export function day(text) {
  return new Intl.DateTimeFormat(tag(), { month: "short", day: "numeric", timeZone: "UTC" }).format(new Date(`${text}T00:00:00Z`));
}

// A line for the terminal, to be copied.
export function command(line) {
  const button = h("button", { type: "button", class: "quiet" }, say("train.copy"));
  const code = h("code", {}, line);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(line);
      button.textContent = say("train.copied");
    } catch {
      getSelection().selectAllChildren(code); // no clipboard: it is marked, Ctrl-C takes it
    }
  });
  return h("div", { class: "shell" }, code, button);
}

// A text with the shell's own signs in it.
export function quoted(text) {
  return /^[\w./:=@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

// What changed, in the page's language where it has words for it.
export function changed(words) {
  const key = `changed.${words.replace(/[^a-z]+/gi, "_")}`;
  const found = say(key);
  return found === key ? words : found;
}

export const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

// Draws only where something is new, so that nothing that somebody looks at flickers, and the focus stays.
export class Drawn {
  constructor(element) {
    this.element = element;
    this.key = null;
  }

  draw(key, make) {
    const text = JSON.stringify(key);
    if (text === this.key) return false;
    this.key = text;
    const focused = this.element.contains(document.activeElement) ? document.activeElement.dataset.name : null;
    const opened = [...this.element.querySelectorAll("details[open][data-name]")].map((one) => one.dataset.name);
    this.element.replaceChildren(...make().filter(Boolean));
    for (const name of opened) this.element.querySelector(`details[data-name="${CSS.escape(name)}"]`)?.setAttribute("open", "");
    if (focused) this.element.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    return true;
  }
}
