// A job while it waits and runs: its place, how much is done, how long it will take, and the way to give it up.
import { h } from "/static/dom.js";
import { number, percent, say } from "/static/words.js";

const SURE = 0.04; // share done from which it is said how long it will take

export class Progress {
  constructor(cancel) {
    this.bar = h("progress", { max: "1", "aria-label": say("job.progress") });
    this.status = h("p", { class: "soft", role: "status" });
    this.element = h("div", { class: "working", tabindex: "-1", hidden: true }, this.bar, this.status, h("button", { type: "button", class: "plain cancel", onclick: cancel }, say("job.cancel")));
  }

  hide() {
    this.element.hidden = true;
  }

  begin() {
    this.follow({ state: "waiting", share: 0, seconds: 0, place: 0 });
    this.element.focus({ preventScroll: true });
  }

  // A job as the server tells of it.
  follow({ state, share, seconds, place }) {
    this.element.hidden = false;
    if (share) this.bar.value = share;
    else this.bar.removeAttribute("value");
    const left = share > SURE && seconds > 1 ? Math.ceil((seconds * (1 - share)) / share) : null;
    const waits = place ? say("job.waits", { place: number(place) }) : say("job.begins");
    const goes = left === null ? say("job.goes", { share: percent(share, 0) }) : say("job.left", { share: percent(share, 0), seconds: number(left) });
    this.say(state === "working" ? goes : waits);
  }

  say(text) {
    this.status.textContent = text;
  }
}
