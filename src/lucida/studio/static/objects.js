// The review of objects on screen: first one box at a time (is it right?), then whole images (is anything missing?).
import { h, keyButton } from "/static/dom.js";
import { drawObjectsEnd, drawObjectsPanel } from "/static/objects_panel.js";
import { Overlay } from "/static/overlay.js";
import { PaintOverlay, TOOLS } from "/static/painting.js";
import { Screen } from "/static/screen.js";
import { number, say } from "/static/words.js";

const TOOL_KEYS = { brush: "B", eraser: "R", polygon: "G", box: "D" };
const CLOSE = 0.35; // of the stage that an object fills when it is looked at more closely

// Where an object is: its pixels, else its box.
const place = ({ box, mask }) => (mask ? { mask } : { box });

export class ObjectScreen extends Screen {
  constructor(root, act, ask, view) {
    super(root, act, ask, view);
    this.texts = false;
    root.classList.remove("texts");
    root.classList.add("objects");
    this.card = null;
    this.zoomed = false;
    this.last = ""; // the class of what is drawn next
    this.masks = view.unit === "masks";
    this.shape();
  }

  // Masks are painted, boxes dragged.
  shape() {
    this.overlay = this.masks ? new PaintOverlay(() => this.refresh()) : new Overlay(() => this.refresh());
    this.zoomer.append(...[this.overlay.canvas, this.overlay.svg].filter(Boolean));
    if (!this.masks) return;
    this.tools = Object.fromEntries(TOOLS.map((tool) => [tool, this.toolButton(tool)]));
    const sizes = [["smaller", "[", -1], ["larger", "]", 1]].map(([name, key, step]) =>
      keyButton({ text: "", name: say(`paint.${name}`), key, onclick: () => this.overlay.resize(step), className: "size" }),
    );
    this.wiper = keyButton({ text: say("paint.wipe"), name: say("paint.wipe_hint"), key: "Del", onclick: () => this.take() });
    const name = say("paint.tools");
    this.bar = h("div", { class: "tools", role: "group", "aria-label": name }, ...Object.values(this.tools), this.wiper, ...sizes);
    this.figure.append(this.bar);
  }

  toolButton(tool) {
    return keyButton({ text: say(`paint.${tool}`), name: say(`paint.${tool}_hint`), key: TOOL_KEYS[tool], onclick: () => this.use(tool) });
  }

  use(tool) {
    if (!this.masks || !this.card) return;
    this.overlay.use(tool);
    this.refresh();
  }

  stage() {
    const figure = super.stage();
    this.zoomer = h("div", { class: "zoomer" }, this.picture);
    this.hint = h("p", { class: "path hint-note" }, say("objects.hint"));
    figure.prepend(this.zoomer);
    figure.append(this.hint);
    return figure;
  }

  answers() {
    this.accept = keyButton({ text: "", key: "⏎", shortcut: "Enter Space", onclick: () => this.confirm(), className: "choice primary" });
    this.absent = keyButton({ text: say("objects.no_object"), name: say("objects.no_object_hint"), key: "X", onclick: () => this.refuse() });
    this.remove = keyButton({ text: say("objects.remove"), name: say("objects.remove_hint"), key: "Del", onclick: () => this.take() });
    this.reset = keyButton({ text: say("objects.reset"), key: "Esc", onclick: () => this.restore() });
    this.closer = keyButton({ text: say("objects.zoom"), key: "V", onclick: () => this.zoom() });
    this.choices.forEach((button) => button.classList.add("choice"));
    const { ask } = this;
    const more = [
      keyButton({ text: say("review.other"), name: say("review.other_hint"), key: "/", onclick: ask.search }),
      this.absent,
      this.remove,
      keyButton({ text: say("review.unsure"), key: "U", shortcut: "U 0", onclick: () => this.send({ verdict: "unsure" }) }),
      this.reset,
      this.closer,
      h("span", { class: "gap" }),
      this.undo,
      keyButton({ text: say("review.help"), key: "?", onclick: ask.help, className: "keys-button" }),
    ];
    return h(
      "div",
      { class: "answers", role: "group", "aria-label": say("review.answers") },
      h("div", { class: "choices" }, this.accept, ...this.choices),
      h("div", { class: "more" }, ...more),
    );
  }

  // A number gives the class: of the object that is asked about, or of the box that is selected.
  choiceButton(index) {
    const button = keyButton({ text: "", key: String(index + 1), shortcut: String(index + 1), onclick: () => this.digit(index), className: "choice" });
    return button;
  }

  get found() {
    return Boolean(this.card?.unit);
  }

  // The box that is asked about, or selected.
  get chosen() {
    return this.overlay.boxes[this.found ? 0 : this.overlay.selected];
  }

  drawCard(card, entry, good) {
    const { picture } = entry;
    this.card = card;
    picture.alt = say("review.image", { path: card.path });
    picture.classList.remove("tiny");
    picture.onclick = null;
    this.root.classList.remove("empty");
    this.picture.replaceChildren(good ? picture : h("p", { class: "broken" }, say("review.broken")));
    this.path.textContent = card.path.split(/[\\/]/).slice(-2).join("/");
    this.path.title = card.path;
    this.last = card.classes.includes(this.last) ? this.last : (card.classes[0] ?? "");
    this.root.classList.toggle("found", this.found);
    this.zoomed = false;
    this.restore();
    const next = this.found ? say("objects.next_check", { label: card.unit.label }) : say("objects.next_missed");
    this.live.textContent = next;
  }

  // The image as it came.
  restore() {
    const { card } = this;
    if (!card) return;
    const boxes = card.unit ? [{ ...card.unit }] : [];
    const { width, height, others, hints } = card;
    this.overlay.show({ width, height, others, hints, boxes, many: !card.unit, fresh: () => this.last });
    this.place();
    this.refresh();
  }

  drawNothing(view) {
    this.card = null;
    this.overlay.clear();
    super.drawNothing({ ...view, phase: "check" });
  }

  // What the buttons say depends on what was drawn.
  refresh() {
    const { card, overlay } = this;
    if (!card) return;
    const count = this.found ? 0 : overlay.added.length + overlay.wrong.length;
    const changed = this.found && overlay.boxes[0].dirty;
    const word = this.word(count, changed);
    this.title();
    this.accept.querySelector(".text").textContent = word;
    this.accept.setAttribute("aria-label", this.found && !changed ? say("review.accept_label", { label: card.unit.label }) : word);
    this.absent.hidden = !this.found;
    this.name(this.remove, ...this.removal());
    this.reset.hidden = !(changed || (!this.found && count));
    this.closer.hidden = !this.found;
    this.hint.hidden = !overlay.hints.length;
    this.choices.forEach((button, i) => {
      const name = card.classes[i];
      // Where the box is right, its own class needs no button: that is Enter.
      button.hidden = name === undefined || (this.found && i === 0 && !changed);
      if (name === undefined) return;
      button.querySelector(".text").textContent = name;
      button.title = name;
      button.setAttribute("aria-label", say("review.choose", { label: name }));
      button.setAttribute("aria-pressed", String((this.chosen?.label ?? this.last) === name && !this.found));
    });
  }

  // What Enter does.
  word(count, changed) {
    if (this.overlay.points?.length) return say("paint.close");
    if (this.found) return say(!changed ? "review.accept" : this.overlay.boxes[0].empty ? "paint.empty" : "objects.corrected");
    return count ? say("objects.some", { count }) : say("objects.nothing");
  }

  // What Delete does, as keys of words; nothing where it does nothing.
  removal() {
    const { chosen } = this;
    if (this.found || !chosen) return [];
    if (!chosen.stood) return ["objects.remove", "objects.remove_hint"];
    return chosen.gone ? ["objects.stands_again", "objects.stands_hint"] : ["objects.strike", "objects.strike_hint"];
  }

  name(button, text, hint) {
    button.hidden = !text;
    if (!text) return;
    button.querySelector(".text").textContent = say(text);
    button.title = say(hint);
    button.setAttribute("aria-label", say(hint));
  }

  title() {
    const { unit } = this.card;
    this.heading(unit ? unit.label : "", unit?.score);
    const { tool } = this.overlay;
    const drawn = this.found ? "objects.draw_check" : "objects.draw_missed";
    this.reason.textContent = say(!tool || tool === "box" ? drawn : `paint.how_${tool}${this.found ? "" : "_missed"}`);
    if (!this.masks) return;
    const offered = this.overlay.tools();
    for (const [name, button] of Object.entries(this.tools)) {
      button.hidden = !offered.includes(name) || offered.length === 1;
      button.setAttribute("aria-pressed", String(name === tool));
    }
    this.bar.classList.toggle("sized", this.overlay.brushes);
    this.wiper.hidden = !this.found || !this.overlay.paintable;
  }

  heading(text, score) {
    this.label.textContent = text;
    this.label.hidden = !text;
    const known = score !== undefined && score > 0;
    this.score.textContent = known ? say("review.score", { score: `${Math.floor(score * 100)}%` }) : "";
    this.meter.parentElement.hidden = !known;
    this.meter.style.width = `${(score ?? 0) * 100}%`;
  }

  questionOf(view) {
    return say(view.phase === "missed" ? "objects.asks_missed" : "objects.asks_check");
  }

  // ---- answering ----------------------------------------------------------------------------------------------------

  send(body) {
    if (this.card && !this.overlay.drag) this.act({ kind: "answer", card: this.card, body });
  }

  confirm() {
    const { overlay } = this;
    if (overlay.close?.()) return;
    if (!this.found) {
      const objects = overlay.added.map(({ label, ...one }) => ({ label, ...place(one) }));
      const wrong = overlay.wrong.map(({ item, label, gone, ...one }) => (gone ? { item } : { item, label, ...place(one) }));
      return this.send({ verdict: objects.length ? "wrong" : "right", objects, wrong });
    }
    const [one] = overlay.boxes;
    if (one.empty) return;
    this.send(one.dirty ? { verdict: "wrong", label: one.label, ...place(one) } : { verdict: "right" });
  }

  // Take the chosen one away; a mask that is asked about is cleared, to be drawn anew.
  take() {
    if (this.found) this.overlay.wipe?.();
    else this.overlay.drop();
  }

  refuse() {
    if (this.found) this.send({ verdict: "wrong" });
  }

  digit(index) {
    const name = this.card?.classes[index];
    if (name !== undefined) this.choose(name);
  }

  // A class was chosen: an answer in the first stage, the class of a box in the second.
  choose(name) {
    if (this.found) {
      const [one] = this.overlay.boxes;
      if (one.empty) return;
      if (!one.dirty && name === this.card.unit.label) return this.send({ verdict: "right" });
      return this.send({ verdict: "wrong", label: name, ...(one.dirty ? place(one) : {}) });
    }
    this.last = name;
    if (this.card && !this.card.classes.includes(name)) this.card.classes.push(name);
    this.overlay.name(this.overlay.selected, name);
    this.refresh();
  }

  known(card) {
    return card.classes;
  }

  // Undo what was drawn last; without anything drawn, the last answer.
  back() {
    if (!this.overlay.recall()) this.act({ kind: "undo" });
  }

  keys(usual) {
    return {
      Enter: () => (this.card ? this.confirm() : usual.Enter()),
      " ": () => this.card && this.confirm(),
      Backspace: () => this.back(),
      Delete: () => this.take(),
      Escape: () => this.overlay.cancel?.() || (this.root.classList.contains("large") ? this.enlarge(false) : this.restore()),
      z: () => this.back(),
      u: () => this.send({ verdict: "unsure" }),
      0: () => this.send({ verdict: "unsure" }),
      x: () => (this.found ? this.refuse() : this.overlay.drop()),
      v: () => this.zoom(),
      "[": () => this.overlay.resize?.(-1),
      "]": () => this.overlay.resize?.(1),
      ...Object.fromEntries(TOOLS.map((tool) => [TOOL_KEYS[tool].toLowerCase(), () => this.use(tool)])),
      f: () => {},
      s: () => this.ask.stop(),
    };
  }

  keyTable = (phase) => {
    const check = phase === "check";
    const rows = [
      [[say("keys.enter"), say("keys.space")], check ? "boxkeys.accept" : "boxkeys.nothing"],
      [["1", "…", "9"], check ? "boxkeys.numbers" : "boxkeys.classes"],
      [["/"], "keys.search"],
      check ? [["X"], "boxkeys.no_object"] : [["Del", "X"], "boxkeys.remove"],
      [["U", "0"], "keys.unsure"],
      [["Esc"], "boxkeys.reset"],
      check ? [["V"], "boxkeys.zoom"] : null,
      ...(this.masks ? this.paintKeys(check) : []),
      [["Z", say("keys.backspace")], "boxkeys.undo_missed"],
      [["E"], "keys.enlarge"],
      [["S"], "keys.stop"],
      [["P"], "keys.pause"],
      [["?"], "keys.help"],
    ];
    return rows.filter(Boolean).map(([keys, name]) => [keys, say(name)]);
  };

  paintKeys(check) {
    const tools = TOOLS.filter((tool) => !check || tool !== "box");
    return [
      ...tools.map((tool) => [[TOOL_KEYS[tool]], `paint.${tool}_hint`]),
      [["[", "]"], "paint.key_size"],
      [[say("keys.shift")], "paint.key_shift"],
      check ? [["Del"], "paint.wipe_hint"] : null,
    ];
  }

  stopping = ({ phase, status }) => {
    const values = {
      kept: number(status.kept), stand: number(status.stand), total: number(status.total), bound: number(status.images_bound), images: number(status.images),
    };
    // Where nothing stands, nobody looks for more: the dialog says what will be.
    const key = phase === "missed" ? "missed" : status.stand ? "check" : "end";
    return {
      title: say(`objects.confirm_${key}`), text: say(`objects.confirm_${key}_text`, values),
      yes: say(`objects.stop_${key}`), sure: status.stand > 0,
    };
  };

  // ---- closer -------------------------------------------------------------------------------------------------------

  zoom() {
    if (!this.found) return;
    this.zoomed = !this.zoomed;
    this.place();
    this.overlay.draw();
  }

  place() {
    const { style } = this.zoomer;
    style.transform = "";
    style.setProperty("--closer", 1);
    if (!this.zoomed) return;
    const { width, height, unit } = this.card;
    const stage = this.figure.getBoundingClientRect();
    const fit = Math.min(stage.width / width, stage.height / height);
    const [l, t, r, b] = unit.box;
    const wanted = (CLOSE * Math.min(stage.width, stage.height)) / (fit * Math.max(r - l, b - t, 1));
    const scale = Math.max(1, Math.min(12, wanted));
    const x = (stage.width - fit * width) / 2 + (fit * (l + r)) / 2;
    const y = (stage.height - fit * height) / 2 + (fit * (t + b)) / 2;
    style.setProperty("--closer", scale);
    style.transform = `translate(${stage.width / 2}px, ${stage.height / 2}px) scale(${scale}) translate(${-x}px, ${-y}px)`;
  }

  drawUndo(undo) {
    let word = say("review.undo");
    if (undo) {
      const verdict = { right: "objects.right", wrong: "objects.wrong", unsure: "objects.unsure" }[undo.verdict];
      const said = undo.label ?? say(this.found || undo.verdict === "unsure" ? verdict : "objects.none");
      word = say("objects.undo_check", { label: said });
    }
    this.undo.querySelector(".text").textContent = word;
  }

  drawPanel(view) {
    drawObjectsPanel(this.panel, view, this.ask);
  }

  drawEnd(view) {
    drawObjectsEnd(this.root, view);
  }

  enable(on) {
    super.enable(on);
    this.overlay.enabled = on;
  }
}

