// The page's side of the desk: one act at a time, in order, each exactly once.
//
// A key pressed while an answer is under way waits for the next image to be on screen; it is never lost and never
// counted twice. When the server needs longer, or cannot be reached, the page says so and takes no keys meanwhile:
// nobody shall answer an image without having seen it.

const SLOW = 400; // ms until the page says that it is waiting
const RETRY = 1000; // ms between attempts to reach the server

export class Desk {
  // on: { show(view, mine) -> promise, resolved when it is on screen; coming(urls); state(name); note(key, detail) }
  constructor(view, on) {
    this.view = view;
    this.on = on;
    this.state = "ready";
    this.queue = [];
    this.working = false;
    this.latest = view.turn;
    this.name = Array.from(crypto.getRandomValues(new Uint32Array(2)), (n) => n.toString(36)).join("");
    this.count = 0;
  }

  get over() {
    return Boolean(this.view.ended) || this.view.phase === "done";
  }

  // Take an act; false when the page takes none at the moment.
  press(act) {
    if (this.state === "slow" || this.state === "lost" || this.state === "refused" || this.over) return false;
    this.queue.push(act);
    this.work();
    return true;
  }

  async work() {
    if (this.working) return;
    this.working = true;
    while (this.queue.length) {
      const body = this.body(this.queue.shift());
      if (body) await this.send(body);
    }
    this.working = false;
    if (this.latest > this.view.turn) await this.refresh();
  }

  // What an act means for the image that is on screen now; null when it means nothing.
  body(act) {
    const { card, turn, phase } = this.view;
    const body = { key: `${this.name}-${++this.count}`, turn };
    if (act.kind === "undo" || act.kind === "pause") return { ...body, kind: act.kind };
    if (act.kind === "freeze") return phase === "teach" ? { ...body, kind: "freeze" } : null;
    if (act.kind === "stop") return phase === "teach" ? null : { ...body, kind: "stop" };
    if (!card) return null;
    // What was drawn was drawn on one image: it is never meant for another.
    if (act.kind === "answer") return act.card === card ? { ...body, kind: "answer", image: card.id, ...act.body } : null;
    const shown = { ...body, kind: "answer", image: card.image, proposal: card.proposal };
    if (act.kind === "unsure") return { ...shown, verdict: "unsure" };
    if (act.kind === "none") return { ...shown, verdict: "wrong", label: null };
    if (act.kind === "text") return { ...shown, verdict: "wrong", text: act.text };
    const label = act.kind === "choose" ? card.choices[act.index]?.[0] : act.label;
    if (act.kind === "accept" || label === card.proposal) return { ...shown, verdict: "right" };
    return label === undefined ? null : { ...shown, verdict: "wrong", label };
  }

  async send(body) {
    const slow = setTimeout(() => this.enter("slow"), SLOW);
    for (;;) {
      try {
        const reply = await post("/api/review", body);
        clearTimeout(slow);
        return await this.take(reply);
      } catch {
        // Sent again with the same key: if it had arrived, it is acknowledged and not counted twice.
        clearTimeout(slow);
        this.queue = [];
        this.enter("lost");
        await new Promise((resolve) => setTimeout(resolve, RETRY));
      }
    }
  }

  async take({ status, content }) {
    if (status === 200) return this.adopt(content.view, true);
    this.queue = [];
    if (status === 403) return this.enter("refused");
    if (content?.view) await this.adopt(content.view);
    else this.enter("ready");
    if (status === 409) this.on.note("state.elsewhere");
    else this.on.note("state.failed", content?.error ? [content.error.what, content.error.hint].join(" ") : "");
  }

  // mine: whether this page asked for what has changed.
  async adopt(view, mine = false) {
    const phase = this.view.phase;
    this.view = view;
    this.latest = Math.max(this.latest, view.turn);
    if (view.phase !== phase || this.over) this.queue = [];
    await this.on.show(view, mine);
    this.enter(this.over ? "over" : "ready");
    if (this.over) post("/api/review/seen", {}).catch(() => {});
    else this.look();
  }

  // Ask which images come next, while the person looks at this one.
  async look() {
    try {
      const { turn, upcoming } = await (await fetch("/api/review/upcoming")).json();
      if (turn === this.view.turn) this.on.coming(upcoming);
    } catch {
      // Nothing is fetched ahead then; the next answer finds out whether the server is there.
    }
  }

  // Another tab, or this one, has moved the review on.
  changed(turn) {
    this.latest = Math.max(this.latest, turn);
    if (!this.working && this.latest > this.view.turn) this.refresh();
  }

  async refresh() {
    if (this.refreshing || this.over) return;
    this.refreshing = true;
    try {
      const response = await fetch("/api/review");
      if (response.status === 403) this.enter("refused");
      else if (response.ok) {
        const view = await response.json();
        if (!this.working) {
          if (this.state === "lost") this.on.note("state.back");
          await this.adopt(view);
        }
      } else throw new Error(response.statusText);
    } catch {
      this.enter("lost");
      setTimeout(() => this.refresh(), RETRY);
    } finally {
      this.refreshing = false;
    }
  }

  enter(state) {
    if (this.state === state) return;
    this.state = state;
    this.on.state(state);
  }
}

async function post(path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  let content = null;
  try {
    content = JSON.parse(text);
  } catch {
    // A page instead of an answer (the gate's); its status says enough.
  }
  return { status: response.status, content };
}
