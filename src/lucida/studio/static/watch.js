// The Watch page: asks the studio how the server is, and draws anew what has changed.
import { h } from "/static/dom.js";
import { Accuracy } from "/static/watch_accuracy.js";
import { Drift } from "/static/watch_drift.js";
import { Now } from "/static/watch_now.js";
import { Routes } from "/static/watch_routes.js";
import { Server } from "/static/watch_server.js";
import { loadWords, readJson, say } from "/static/words.js";

const OFTEN = 2000; // ms between two looks
const SELDOM = 5000; // while no server answers

export function openWatch(root) {
  loadWords(readJson("lucida-words"));
  new WatchPage(root, readJson("lucida-watch")).begin();
}

class WatchPage {
  constructor(root, view) {
    this.root = root;
    this.view = view;
    this.lost = h("p", { class: "lost", role: "status", hidden: true });
    this.server = new Server((body) => this.ask("/api/watch/server", body));
    this.accuracy = new Accuracy((body) => this.post("/api/watch/verdicts", body), () => this.look());
    this.drift = new Drift((path, body) => this.post(path, body), () => this.look());
    this.parts = [this.server, new Now(), new Routes(), this.drift, this.accuracy];
  }

  begin() {
    const [server, ...others] = this.parts.map((part) => part.element);
    this.root.replaceChildren(server, this.lost, ...others);
    this.draw();
    this.root.dataset.ready = "yes";
    this.wait();
    document.addEventListener("visibilitychange", () => !document.hidden && this.look());
  }

  wait() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), this.view.server.state === "up" ? OFTEN : SELDOM);
  }

  async look() {
    if (document.hidden) return this.wait(); // nobody sees it
    clearTimeout(this.timer);
    try {
      const response = await fetch("/api/watch");
      if (!response.ok) throw new Error(response.status);
      this.view = await response.json();
      this.say("");
      this.draw();
    } catch (error) {
      this.say(say(Number(error.message) === 403 ? "state.refused" : "watch.studio_gone"));
    }
    this.wait();
  }

  // Post, and show the view that comes back; the error in four parts where there is one.
  async ask(path, body) {
    const found = await this.post(path, body);
    if (found.error) return found;
    this.view = found;
    this.draw();
    this.wait();
    return found;
  }

  async post(path, body = {}) {
    try {
      const headers = { "content-type": "application/json" };
      const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
      if (response.status === 403) return { error: { what: say("state.refused") } };
      const found = await response.json();
      return response.ok || found.error ? found : { error: { what: say("find.failed") } };
    } catch {
      return { error: { what: say("watch.studio_gone") } };
    }
  }

  draw() {
    this.root.dataset.state = this.view.server.state;
    this.root.classList.toggle("old", this.view.server.state === "lost" || this.view.remembered);
    for (const part of this.parts) part.draw(this.view);
  }

  say(text) {
    this.lost.textContent = text;
    this.lost.hidden = !text;
  }
}
