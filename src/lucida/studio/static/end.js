// The end: what is proven in plain words, and what to do next. Everything it needs is in the page already, since the
// server ends once it has been shown.
import { h } from "/static/dom.js";
import { facts, proven, steps } from "/static/panel.js";
import { bound, number, percent, say } from "/static/words.js";

export function drawEnd(root, view) {
  root.replaceChildren(h("section", { class: "end" }, ...content(view)));
  root.dataset.phase = view.ended || "done";
  root.dataset.turn = view.turn;
  root.querySelector("h1").focus();
}

function content(view) {
  const { status } = view;
  if (view.ended === "handed") return away("handed.title", h("p", { class: "claim" }, say("handed.text")));
  if (view.ended !== "paused" && (status.reviews || status.kept)) return done(view);
  return away("paused.title", h("p", { class: "claim" }, say("paused.text")));
}

export function away(key, what) {
  return [title(say(key)), what, h("p", { class: "soft" }, say("paused.close"))];
}

function title(text) {
  return h("h1", { tabindex: "-1" }, text);
}

function done({ status, unit }) {
  const { kept, total } = status;
  const promise = say("done.promise", {
    kept: number(kept), bound: bound(status.bound), confidence: percent(status.confidence),
  });
  const reason = say(`done.reason_${status.reason}`);
  const tiles = [
    [number(status.reviews), say("done.reviewed")],
    [number(status.accepted), say("done.accepted"), kept ? say("done.accepted_hint", { rate: bound(status.rate_left) }) : null],
    [number(status.errors_found), say("done.errors")],
    [number(total - kept), say("done.rest")],
  ];
  return [
    steps("done"),
    title(kept ? say("done.title", { kept: number(kept) }) : say("done.title_none")),
    h("p", { class: "claim" }, kept ? promise : say(unit === "labels" ? "done.none" : "done.none_other")),
    h("p", { class: "soft" }, reason.startsWith("done.") ? status.reason : reason),
    status.advice ? h("p", { class: "soft" }, status.advice) : null,
    h("div", { class: "sum" }, facts(tiles), proven(status)),
    h("h2", {}, say("done.next")),
    command(say("done.export"), "lucida export out/"),
    command(say("done.verify"), "lucida verify out/certificate.json"),
    h("p", { class: "soft" }, say("done.close")),
  ].filter(Boolean);
}

export function command(text, line) {
  const button = h("button", { type: "button", class: "quiet" }, say("done.copy"));
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(line);
    button.textContent = say("done.copied");
  });
  return h("div", { class: "command" }, h("p", {}, text), h("div", {}, h("code", {}, line), button));
}
