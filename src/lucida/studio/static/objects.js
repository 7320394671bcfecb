// The review of objects on screen: first one box at a time (is it right?), then whole images (is anything missing?).
import { h, keyButton } from "/static/dom.js";
import { Overlay } from "/static/overlay.js";
import { drawObjectsEnd, drawObjectsPanel } from "/static/objects_panel.js";
import { Screen } from "/static/screen.js";
import { number, say } from "/static/words.js";

const CLOSE = 0.35; // of the stage that an object fills when it is looked at more closely

export class ObjectScreen extends Screen {
  constructor(root, act, ask, view) {
    super(root, act, ask, view);
    this.texts = false;
    root.classList.remove("texts");
    root.classList.add("objects");
    this.card = null;
    this.zoomed = false;
    this.last = ""; // the class of what is drawn next
  }

  stage() {
    const figure = super.stage();
    this.overlay = new Overlay(() => this.refresh());
    this.zoomer = h("div", { class: "zoomer" }, this.picture, this.overlay.svg);
    this.hint = h("p", { class: "path hint-note" }, say("objects.hint"));
    figure.prepend(this.zoomer);
    figure.append(this.hint);
    return figure;
  }

  answers() {
    this.accept = keyButton({ text: "", key: "⏎", shortcut: "Enter Space", onclick: () => this.confirm(), className: "choice primary" });
    this.absent = keyButton({ text: say("objects.no_object"), name: say("objects.no_object_hint"), key: "X", onclick: () => this.refuse() });
    this.remove = keyButton({ text: say("objects.remove"), name: say("objects.remove_hint"), key: "Del", onclick: () => this.overlay.drop() });
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
    const count = overlay.boxes.length;
    const changed = this.found && overlay.boxes[0].dirty;
    this.title();
    const word = this.found
      ? changed ? say("objects.corrected") : say("review.accept")
      : count ? say("objects.some", { count }) : say("objects.nothing");
    this.accept.querySelector(".text").textContent = word;
    this.accept.setAttribute("aria-label", this.found && !changed ? say("review.accept_label", { label: card.unit.label }) : word);
    this.absent.hidden = !this.found;
    this.remove.hidden = this.found || !count;
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

  title() {
    const { unit } = this.card;
    this.heading(unit ? unit.label : "", unit?.score);
    this.reason.textContent = say(this.found ? "objects.draw_check" : "objects.draw_missed");
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
    if (!this.found) {
      const objects = this.overlay.boxes.map(({ label, box }) => ({ label, box }));
      return this.send({ verdict: objects.length ? "wrong" : "right", objects });
    }
    const { label, box, dirty } = this.overlay.boxes[0];
    this.send(dirty ? { verdict: "wrong", label, box } : { verdict: "right" });
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
      const { box, dirty } = this.overlay.boxes[0];
      if (!dirty && name === this.card.unit.label) return this.send({ verdict: "right" });
      return this.send({ verdict: "wrong", label: name, ...(dirty ? { box } : {}) });
    }
    this.last = name;
    if (this.card && !this.card.classes.includes(name)) this.card.classes.push(name);
    if (this.chosen) this.chosen.label = name;
    this.overlay.draw();
    this.refresh();
  }

  known(card) {
    return card.classes;
  }

  // Undo what was drawn last; without anything drawn, the last answer.
  back() {
    if (this.overlay.boxes.length && !this.found) this.overlay.drop(this.overlay.boxes.length - 1);
    else if (this.found && this.overlay.boxes[0]?.dirty) this.restore();
    else this.act({ kind: "undo" });
  }

  keys(usual) {
    return {
      Enter: () => (this.card ? this.confirm() : usual.Enter()),
      " ": () => this.card && this.confirm(),
      Backspace: () => this.back(),
      Delete: () => this.overlay.drop(),
      Escape: () => (this.root.classList.contains("large") ? this.enlarge(false) : this.restore()),
      z: () => this.back(),
      u: () => this.send({ verdict: "unsure" }),
      0: () => this.send({ verdict: "unsure" }),
      x: () => (this.found ? this.refuse() : this.overlay.drop()),
      v: () => this.zoom(),
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
      [["Z", say("keys.backspace")], check ? "keys.undo" : "boxkeys.undo_missed"],
      [["E"], "keys.enlarge"],
      [["S"], "keys.stop"],
      [["P"], "keys.pause"],
      [["?"], "keys.help"],
    ];
    return rows.filter(Boolean).map(([keys, name]) => [keys, say(name)]);
  };

  stopping = ({ phase, status }) => {
    const values = {
      kept: number(status.kept), total: number(status.total), bound: number(status.images_bound), images: number(status.images),
    };
    const key = phase === "missed" ? "missed" : "check";
    return {
      title: say(`objects.confirm_${key}`), text: say(`objects.confirm_${key}_text`, values),
      yes: say(`objects.stop_${key}`), sure: status.kept > 0,
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

