// The review page: wires the desk, the screen and the keys together.
import { Desk } from "/static/desk.js";
import { anyOpen, closeAll, confirm, editText, searchClass, showKeys } from "/static/dialogs.js";
import { ObjectScreen } from "/static/objects.js";
import { Screen } from "/static/screen.js";
import { loadWords, number, readJson, say, setUnit } from "/static/words.js";

const NOTE = 4000; // ms a note stays

export function openReview(root) {
  loadWords(readJson("lucida-words"));
  const view = readJson("lucida-view");
  setUnit(view.unit);
  let note = 0;

  const act = (what) => desk.press(what);
  const ask = {
    search: () => {
      if (!desk.view.card || desk.state === "lost" || desk.state === "slow") return;
      const { card } = desk.view;
      if (screen.texts) return editText(card.proposal, (text) => act({ kind: "text", text }));
      const known = screen.known(card);
      const coming = fetch("/api/review/classes").then((response) => (response.ok ? response.json() : known), () => known);
      searchClass(coming, (label) => screen.choose(label));
    },
    help: () => showKeys((screen.keyTable ?? keyTable)(desk.view.phase)),
    pause: () => act({ kind: "pause" }),
    freeze: async () => {
      const yes = say("teach.freeze");
      if (await confirm({ title: say("teach.confirm"), text: say("teach.confirm_text"), yes })) act({ kind: "freeze" });
    },
    stop: async () => {
      if (desk.view.left !== null) return;
      if (!desk.view.card) return act({ kind: "stop" });
      if (screen.stopping) return (await confirm(screen.stopping(desk.view))) && act({ kind: "stop" });
      const { kept, total } = desk.view.status;
      const values = { kept: number(kept), total: number(total) };
      const [title, text, yes] = kept
        ? ["check.confirm", "check.confirm_kept", "check.stop"]
        : ["check.confirm_empty", "check.confirm_none", "check.stop_empty"];
      const asked = { title: say(title), text: say(text, values), yes: say(yes), sure: kept > 0 };
      if (await confirm(asked)) act({ kind: "stop" });
    },
  };
  const screen = new (view.kind === "objects" ? ObjectScreen : Screen)(root, act, ask, view);
  const desk = new Desk(view, {
    show: (next, mine) => {
      // What was asked over another image, or in another phase, is not asked any more.
      if (!mine || next.phase !== root.dataset.phase || desk.over) closeAll();
      return screen.show(next);
    },
    coming: (urls) => screen.coming(urls),
    state: (state) => {
      root.dataset.state = state;
      screen.enable(state === "ready");
      if (state === "lost" || state === "slow" || state === "refused") screen.say(say(`state.${state}`), state);
      else if (!note) screen.say("");
      if (state === "over") leave();
    },
    note: (key, detail = "") => {
      clearTimeout(note);
      screen.say([say(key), detail].filter(Boolean).join(" "), "note");
      note = setTimeout(() => {
        note = 0;
        if (desk.state === "ready") screen.say("");
      }, NOTE);
    },
  });

  listen(desk, screen, act, ask);
  follow(desk);
  root.dataset.state = "starting";
  desk.adopt(view).then(() => (root.dataset.state = desk.state));
  root.focus({ preventScroll: true });
  return desk;
}

function listen(desk, screen, act, ask) {
  const usual = {
    Enter: () => (desk.view.card ? act({ kind: "accept" }) : desk.view.phase === "teach" ? ask.freeze() : ask.stop()),
    " ": () => act({ kind: "accept" }),
    Backspace: () => act({ kind: "undo" }),
    Escape: () => screen.enlarge(false),
    "/": ask.search,
    "?": ask.help,
    z: () => act({ kind: "undo" }),
    u: () => act({ kind: "unsure" }),
    0: () => act({ kind: "unsure" }),
    x: () => act({ kind: "none" }),
    e: () => screen.enlarge(),
    f: () => desk.view.phase === "teach" && ask.freeze(),
    s: () => desk.view.phase === "check" && ask.stop(),
    p: ask.pause,
  };
  const named = { ...usual, ...screen.keys?.(usual) };
  window.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || desk.over) return;
    // A key that has closed a dialog was meant for the dialog.
    if (anyOpen() || event.target.closest?.("dialog")) return;
    const key = keyOf(event);
    // Enter and space on a button that was reached with the keyboard press that button.
    if ((key === "Enter" || key === " ") && event.target.closest?.("button, a, summary")) return;
    const run = /^[1-9]$/.test(key) ? () => screen.digit(Number(key) - 1) : named[key];
    if (!run) return;
    event.preventDefault();
    // A key held down repeats by itself; an answer is meant once.
    if (!event.repeat) run();
  });
  // A button pressed with the mouse gives the keys back to the page: its meaning may be another for the next image.
  document.addEventListener("click", (event) => {
    if (event.detail > 0) event.target.closest?.("#page button")?.blur();
  });
}

// The key as it is named here. A letter of another script (or of one being composed) and a digit that needs shift
// on this keyboard are taken by their place.
function keyOf({ key, code, shiftKey }) {
  const place = /^(?:Key|Digit)([A-Z0-9])$/.exec(code ?? "")?.[1].toLowerCase();
  const foreign = key === "Process" || /^[^\x00-\x7f]$/.test(key);
  if (place && (foreign || (/[0-9]/.test(place) && !shiftKey))) return place;
  return key.length === 1 ? key.toLowerCase() : key;
}

// Hear of the connection from the web framework's socket; ask the server itself what is true.
function follow(desk) {
  const socket = globalThis.socket;
  if (!socket) return void requestAnimationFrame(() => follow(desk));
  socket.on("disconnect", () => desk.refresh());
  socket.on("connect", () => desk.state === "lost" && desk.refresh());
}

// The server ends now; nothing shall try to reach it again.
function leave() {
  globalThis.socket?.disconnect();
  document.querySelector(".bar")?.classList.add("left");
}

function keyTable(phase) {
  const rows = [
    [[say("keys.enter"), say("keys.space"), "1"], "keys.accept"],
    [["2", "…", "9"], "keys.numbers"],
    [["/"], "keys.search"],
    [["X"], "keys.none"],
    [["U", "0"], "keys.unsure"],
    [["Z", say("keys.backspace")], "keys.undo"],
    [["E"], "keys.enlarge"],
    phase === "teach" ? [["F"], "keys.freeze"] : [["S"], "keys.stop"],
    [["P"], "keys.pause"],
    [["?"], "keys.help"],
  ];
  return rows.map(([keys, name]) => [keys, say(name)]);
}

