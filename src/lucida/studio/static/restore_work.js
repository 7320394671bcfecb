// A job while it runs, and in words what came of it.
import { h } from "/static/dom.js";
import { fourParts } from "/static/look.js";
import { Progress } from "/static/progress.js";
import { number, say, told } from "/static/words.js";

export class Work {
  // cancel(), onward(result): what the buttons do.
  constructor(cancel, onward) {
    this.onward = onward;
    this.progress = new Progress(cancel);
    this.outcome = h("div", { class: "outcome", "aria-live": "polite" });
    this.element = h("section", { class: "work" }, this.progress.element, this.outcome);
  }

  clear() {
    this.progress.hide();
    this.outcome.replaceChildren();
  }

  begin() {
    this.clear();
    this.progress.begin();
  }

  follow(view) {
    this.progress.follow(view);
  }

  lost(what) {
    this.progress.say(what);
  }

  fail(error) {
    this.clear();
    this.outcome.append(fourParts(error));
  }

  cancelled() {
    this.clear();
    this.outcome.append(h("p", { class: "soft" }, say("restore.cancelled")));
  }

  done(result) {
    this.clear();
    const file = h("a", { class: "primary download", href: `/api/restore/file/${result.token}`, download: result.name, title: result.name }, say("restore.download"));
    const onward = h("button", { type: "button", class: "plain", onclick: () => this.onward(result), title: say("restore.onward_hint") }, say("restore.onward"));
    this.outcome.append(
      h("div", { class: "buttons" }, h("h2", {}, say("restore.done")), onward, file),
      h("ul", { class: "did" }, ...did(result).map((text) => h("li", {}, text))),
      ...result.notes.map((note) => h("p", { class: "soft note" }, told(note))),
      h("p", { class: "soft" }, [say("restore.seconds", { seconds: number(Math.max(0.1, Math.round(10 * result.seconds) / 10)) }), result.engine, size(result.bytes)].filter(Boolean).join(" · ")),
    );
  }
}

// What was done, a sentence each.
function did({ stages, noise, factor, before, width, height, frames }) {
  const by = (task) => [...new Set(stages.filter((stage) => stage.task === task).map(({ model }) => model))].join(", ");
  const pixels = (w, h) => say("restore.size", { width: number(w), height: number(h) });
  const level = noise ? say("restore.did_denoise", { level: number(noise), model: by("denoise") }) : noise === 0 ? say("restore.did_denoise_all", { model: by("denoise") }) : null;
  return [
    by("fill") && say("restore.did_fill", { model: by("fill") }),
    by("denoise") && level,
    by("upscale") && say("restore.did_upscale", { factor: number(factor), before: pixels(...before), after: pixels(width, height), model: by("upscale") }),
    frames > 1 && say("restore.did_frames", { frames: number(frames) }),
  ].filter(Boolean);
}

export function size(bytes) {
  return bytes < 1e6 ? say("restore.kilobytes", { size: number(Math.ceil(bytes / 1000)) }) : say("restore.megabytes", { size: number(Math.round(bytes / 1e5) / 10) });
}
