// Which server is watched, and what to do where it does not answer.
import { h } from "/static/dom.js";
import { lines } from "/static/problem.js";
import { command, moment, quoted } from "/static/watch_text.js";
import { say } from "/static/words.js";

const FINE = ["up", "loading"];

export class Server {
  // connect(body): watches another server; resolves to an error, or the view.
  constructor(connect) {
    this.connect = connect;
    this.pill = h("span", { class: "pill" });
    this.where = h("span", { class: "where" });
    this.open = h("button", { type: "button", class: "plain", "aria-expanded": "false", onclick: () => this.toggle() }, say("watch.other"));
    this.url = h("input", { type: "text", name: "url", maxlength: "300", spellcheck: "false", autocomplete: "off", required: true });
    this.key = h("input", { type: "password", name: "key", maxlength: "500", autocomplete: "off", spellcheck: "false" });
    this.error = h("p", { class: "wrong-input", role: "alert", hidden: true });
    this.form = h(
      "form",
      { class: "connect", hidden: true },
      h("label", {}, h("span", {}, say("watch.address")), this.url),
      h("label", {}, h("span", {}, say("watch.key")), this.key),
      h("button", { class: "primary" }, say("watch.connect")),
      h("p", { class: "soft" }, say("watch.key_kept")),
      this.error,
    );
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.trouble = h("div", { class: "trouble", hidden: true });
    this.element = h(
      "header",
      { class: "server" },
      h("div", { class: "heading" }, h("div", {}, h("h1", {}, say("watch.title")), h("p", { class: "at soft" }, this.pill, this.where)), this.open),
      this.form,
      this.trouble,
    );
  }

  toggle(on = this.form.hidden) {
    this.form.hidden = !on;
    this.open.setAttribute("aria-expanded", on);
    if (on && !this.url.value) this.url.value = this.server.url;
    if (on) (this.server.state === "key" ? this.key : this.url).focus();
  }

  async send() {
    const body = { url: this.url.value, key: this.key.value || null };
    this.key.value = ""; // at once: what is typed meanwhile stays
    // One after the other: what was sent last counts in the end.
    this.sent = Promise.resolve(this.sent).then(() => this.connect(body));
    const found = await this.sent;
    this.error.hidden = !found.error;
    if (found.error) this.error.replaceChildren(...lines(found.error).map((line) => h("span", {}, line)));
    else if (this.server.state !== "key") this.toggle(false); // a wrong key is typed anew
  }

  draw({ server, remembered, now, watch, routes }) {
    this.server = server;
    const good = FINE.includes(server.state);
    this.pill.className = `pill ${server.state === "up" ? "running" : good ? "" : "stopped"}`;
    this.pill.textContent = say(`watch.is_${server.state}`);
    this.where.textContent = [server.url, now?.version ? say("watch.version", { version: now.version }) : ""].filter(Boolean).join(" · ");
    const known = remembered && Boolean(watch || routes);
    const key = JSON.stringify([server.state, server.url, server.clear, server.keyed, known]);
    if (key === this.drawn) return;
    this.drawn = key;
    this.trouble.hidden = good && !server.clear;
    this.trouble.replaceChildren(...this.told(server, known).filter(Boolean));
    if (server.state === "key" && this.form.hidden) {
      this.url.value = server.url;
      this.form.hidden = false;
      this.open.setAttribute("aria-expanded", "true");
    }
  }

  // What is wrong, and what to do.
  told(server, known) {
    const { state, url, catalog, met, detail, clear, keyed } = server;
    const insecure = clear && keyed ? h("p", { class: "soft" }, say("watch.clear")) : null;
    if (FINE.includes(state)) return [insecure];
    const start = `lucida serve embedded --catalog ${quoted(catalog)} --watch live`;
    const steps = {
      none: [h("p", {}, say("watch.start")), command(start), h("p", { class: "soft" }, say("watch.elsewhere"))],
      lost: [h("p", {}, say("watch.back"))],
      key: [h("p", {}, say(keyed ? "watch.wrong_key" : "watch.give_key")), h("p", { class: "soft" }, say("watch.key_before")), command("LUCIDA_SERVE_KEY=lucida-… lucida studio")],
      forbidden: [h("p", {}, say("watch.scope")), command("lucida serve --make-key studio --scopes watch,jobs")],
      strange: [h("p", {}, say("watch.not_ours"))],
      slow: [h("p", {}, say("watch.busy"))],
      failed: [h("p", {}, say("watch.look_there")), detail ? h("p", { class: "soft" }, detail) : null],
    };
    const title = say(`watch.trouble_${state}`, { url, time: met ? moment(met) : "" });
    return [h("h2", {}, title), ...(steps[state] ?? []), known ? h("p", {}, say("watch.remembered")) : null, insecure];
  }
}
