// What opens over the page: search for a class, the keys, and the question before a step that cannot be taken back.
import { h } from "/static/dom.js";
import { number, say } from "/static/words.js";

function open(className, title, ...content) {
  const id = `title-${className}`;
  const dialog = h(
    "dialog",
    { class: className, "aria-labelledby": id },
    h("form", { method: "dialog", class: "dialog" }, h("h2", { id }, title), ...content),
  );
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

export function anyOpen() {
  return document.querySelector("dialog[open]") !== null;
}

export function closeAll() {
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
}

// sure: whether Enter says yes; otherwise it cancels.
export function confirm({ title, text, yes, sure = true }) {
  return new Promise((resolve) => {
    const dialog = open(
      "confirm",
      title,
      h("p", {}, text),
      h(
        "div",
        { class: "buttons" },
        h("button", { value: "", class: "plain" }, say("review.cancel")),
        h("button", { value: "yes", class: "primary" }, yes),
      ),
    );
    dialog.querySelector(sure ? ".primary" : ".plain").focus();
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"));
  });
}

export function showKeys(rows) {
  const list = rows.map(([keys, text]) =>
    h("div", {}, h("dt", {}, ...keys.map((key) => h("kbd", {}, key))), h("dd", {}, text)),
  );
  open(
    "keys",
    say("keys.title"),
    h("dl", {}, ...list),
    h("div", { class: "buttons" }, h("button", { class: "plain", autofocus: true }, say("review.close"))),
  );
}

// Write what is right instead of a text; Ctrl or Cmd with Enter saves, as does Enter where the text has one line.
export function editText(text, pick) {
  const long = text.length > 120 || text.includes("\n");
  const field = h("textarea", { rows: long ? 8 : 3, maxlength: "20000", "aria-label": say("text.title") });
  field.value = text;
  const save = h("button", { type: "button", class: "primary" }, say("text.save"));
  const buttons = h("div", { class: "buttons" }, h("button", { value: "", class: "plain" }, say("review.cancel")), save);
  const dialog = open("edit", say("text.title"), field, buttons);
  const done = () => {
    if (!field.value.trim()) return;
    dialog.close();
    pick(field.value.trim());
  };
  save.addEventListener("click", done);
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing || event.shiftKey || (long && !event.ctrlKey && !event.metaKey)) return;
    event.preventDefault();
    done();
  });
  field.focus();
  field.setSelectionRange(0, text.length);
}

// Names that begin with what is typed come first, then those that contain it.
export function matching(classes, typed) {
  const fold = (text) => text.normalize("NFKC").toLowerCase();
  const wanted = fold(typed.trim());
  const place = (name) => fold(name).indexOf(wanted);
  return classes
    .filter((name) => place(name) >= 0)
    .sort((a, b) => (place(a) > 0) - (place(b) > 0) || a.localeCompare(b));
}

// Opens at once, so that what is typed next is a name and not an answer; `coming` brings all classes a moment later.
export function searchClass(coming, pick) {
  const shownAtMost = 200;
  let classes = null;
  let rows = [];
  let at = 0;
  let entered = false; // Enter was pressed before the classes had come
  const count = h("p", { class: "soft", role: "status" });
  const list = h("ul", { role: "listbox", id: "found", "aria-label": say("search.title") });
  const input = h("input", {
    type: "text", role: "combobox", placeholder: say("search.placeholder"), "aria-label": say("search.placeholder"),
    "aria-controls": "found", "aria-expanded": "true", autocomplete: "off", spellcheck: "false", maxlength: "200",
  });
  const dialog = open("search", say("search.title"), input, list, count);

  const choose = (label) => {
    dialog.close();
    pick(label);
  };
  const mark = (place) => {
    at = Math.max(0, Math.min(place, rows.length - 1));
    [...list.children].forEach((row, i) => row.setAttribute("aria-selected", i === at));
    input.setAttribute("aria-activedescendant", rows.length ? `found-${at}` : "");
    list.children[at]?.scrollIntoView({ block: "nearest" });
  };
  const filter = () => {
    if (!classes) return;
    const typed = input.value.trim();
    const found = matching(classes, typed);
    rows = found.slice(0, shownAtMost).map((label) => ({ label, text: label }));
    if (typed && !classes.includes(typed)) rows.push({ label: typed, text: say("search.new", { label: typed }) });
    list.replaceChildren(
      ...rows.map((row, i) =>
        h("li", { role: "option", id: `found-${i}`, onclick: () => choose(row.label) }, row.text),
      ),
    );
    count.textContent = found.length ? say("search.count", { count: number(found.length) }) : say("search.empty");
    mark(0);
  };
  input.addEventListener("input", filter);
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
    if (step) mark(at + step);
    else if (event.key === "Enter" && !event.isComposing && rows.length) choose(rows[at].label);
    else if (event.key === "Enter" && !event.isComposing) entered = !classes;
    else return;
    event.preventDefault();
  });
  input.focus();
  count.textContent = say("state.loading");
  coming.then((all) => {
    classes = all;
    filter();
    if (entered && rows.length) choose(rows[at].label);
  });
}
