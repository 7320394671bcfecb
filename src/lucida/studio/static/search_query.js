// What is looked for: words, images to be like and unlike, and conditions.
import { h } from "/static/dom.js";
import { address } from "/static/search.js";
import { say } from "/static/words.js";

const WAYS = ["all", "vectors", "text"];
const STATES = ["", "reviewed", "accepted", "proposed"];

export class Query {
  constructor({ questions }, changed) {
    this.changed = changed;
    this.examples = []; // { part, image, name }
    this.where = [];
    this.text = h("input", { type: "search", class: "words", placeholder: say("find.placeholder"), "aria-label": say("find.placeholder"), maxlength: "1000", autocomplete: "off", spellcheck: "false" });
    this.file = h("input", { type: "file", accept: "image/*", hidden: true, onchange: () => this.upload(this.file.files) });
    this.by = select(WAYS.map((way) => [way, [say("find.way_all"), say("find.way_vectors"), say("find.way_text")][WAYS.indexOf(way)]]), say("find.way"), changed);
    this.state = select(STATES.map((state, i) => [state, [say("find.state_any"), say("find.state_reviewed"), say("find.state_accepted"), say("find.state_proposed")][i]]), say("find.state"), changed);
    this.glob = h("input", { type: "text", class: "field", placeholder: say("find.glob"), "aria-label": say("find.glob"), onchange: changed });
    this.question = select([["", say("find.condition")], ...conditions(questions)], say("find.condition"), () => this.condition());
    this.chips = h("ul", { class: "chips", "aria-label": say("find.chosen") });
    const form = h(
      "form",
      { class: "ask", role: "search", onsubmit: (event) => (event.preventDefault(), changed()) },
      this.text,
      this.file,
      h("button", { type: "button", class: "plain", onclick: () => this.file.click(), title: say("find.image_hint") }, say("find.image")),
      h("button", { type: "submit", class: "primary" }, say("find.search")),
    );
    const filters = h("div", { class: "filters" }, this.by, Object.keys(questions).length ? this.question : null, Object.keys(questions).length ? this.state : null, this.glob);
    this.element = h("section", { class: "query" }, h("h1", { class: "unseen" }, say("find.title")), form, this.chips, filters);
    this.chips.hidden = true;
    this.listen();
  }

  focus() {
    this.text.focus();
    this.text.select();
  }

  get empty() {
    return !this.text.value.trim() && !this.examples.some(({ part }) => part !== "unlike");
  }

  get value() {
    const images = (part) => this.examples.filter((one) => one.part === part).map((one) => one.image);
    return { text: this.text.value, images: images("images"), like: images("like"), unlike: images("unlike"), where: this.where, by: this.by.value, state: this.state.value, glob: this.glob.value.trim() };
  }

  add(part, { image, name }) {
    this.examples = [...this.examples.filter((one) => one.image !== image), { part, image, name }];
    this.draw();
    this.changed();
  }

  condition() {
    if (this.question.value && !this.where.includes(this.question.value)) this.where.push(this.question.value);
    this.question.value = "";
    this.draw();
    this.changed();
  }

  async upload(files) {
    for (const file of files) {
      const response = await fetch(`/api/search/upload?name=${encodeURIComponent(file.name.slice(-200))}`, { method: "POST", body: file }).catch(() => null);
      const found = response && (await response.json().catch(() => null));
      if (response?.ok && found) this.add("images", found);
      else this.refuse(file.name, found?.error?.what);
    }
    this.file.value = "";
  }

  refuse(name, what) {
    const chip = h("li", { class: "chip refused", role: "alert" }, `${name}: ${what ?? say("find.failed")}`);
    this.chips.hidden = false;
    this.chips.append(chip);
    setTimeout(() => this.draw(), 6000);
  }

  draw() {
    const remove = (drop) => () => {
      drop();
      this.draw();
      this.changed();
    };
    const words = { images: say("find.resemble"), like: say("find.like"), unlike: say("find.unlike") };
    this.chips.replaceChildren(
      ...this.examples.map((one) =>
        h("li", { class: `chip ${one.part}` }, h("img", { src: address(one.image, 64), alt: "" }), h("span", {}, words[one.part]), cross(one.name, remove(() => (this.examples = this.examples.filter((other) => other !== one))))),
      ),
      ...this.where.map((condition) => h("li", { class: "chip" }, h("span", {}, condition), cross(condition, remove(() => (this.where = this.where.filter((other) => other !== condition)))))),
    );
    this.chips.hidden = !this.chips.children.length;
  }

  listen() {
    const over = (event) => event.dataTransfer?.types.includes("Files") && event.preventDefault();
    window.addEventListener("dragover", over);
    window.addEventListener("drop", (event) => {
      if (!event.dataTransfer?.files.length) return;
      event.preventDefault();
      this.upload(event.dataTransfer.files);
    });
    window.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"));
      if (files.length) this.upload(files);
    });
  }
}

function conditions(questions) {
  return Object.entries(questions).flatMap(([question, labels]) => labels.map((label) => [`${question}=${label}`, `${question}: ${label}`]));
}

function select(options, name, onchange) {
  return h("select", { class: "field", "aria-label": name, onchange }, ...options.map(([value, text]) => h("option", { value }, text)));
}

function cross(name, onclick) {
  return h("button", { type: "button", class: "cross", "aria-label": say("find.remove", { name }), onclick }, "×");
}
