// The page: a photo in, the five likeliest answers out.

import * as ort from "./ort/ort.wasm.min.mjs";
import { decode, fit, normalise } from "./prepare.js";

const MOST = 5;
const at = (id) => document.getElementById(id);
const say = (text) => { at("status").textContent = text; };

ort.env.wasm.wasmPaths = new URL("./ort/", import.meta.url).href;
ort.env.wasm.numThreads = 1; // more need headers that a plain web server does not send

function probabilities(logits, several) {
  if (several) return logits.map((value) => 1 / (1 + Math.exp(-value)));
  const top = Math.max(...logits);
  const powers = logits.map((value) => Math.exp(value - top));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

async function classify(session, model, file) {
  const { numbers, shape } = normalise(fit(await decode(file), model.needs), model.needs);
  const found = await session.run({ [model.input]: new ort.Tensor("float32", numbers, shape) }, [model.logits]);
  const shares = probabilities(Array.from(found[model.logits].data), model.several);
  return shares.map((share, k) => ({ name: model.classes[k], share })).sort((a, b) => b.share - a.share);
}

function show(answers) {
  at("answers").replaceChildren(...answers.slice(0, MOST).map(({ name, share }) => {
    const line = document.createElement("li");
    const [label, bar, number] = ["span", "progress", "data"].map((kind) => document.createElement(kind));
    label.textContent = name;
    bar.value = share;
    bar.setAttribute("aria-hidden", "true");
    number.value = String(share);
    number.textContent = `${(100 * share).toFixed(1)} %`;
    line.append(label, bar, number);
    return line;
  }));
}

async function chosen(session, model, file) {
  const shown = at("shown");
  URL.revokeObjectURL(shown.src);
  at("answers").replaceChildren();
  say("Looking.");
  try {
    const start = performance.now();
    const answers = await classify(session, model, file);
    show(answers);
    shown.src = URL.createObjectURL(file);
    shown.hidden = false;
    say(`Done in ${Math.round(performance.now() - start)} ms.`);
  } catch (error) {
    shown.hidden = true;
    say(`This file cannot be read as a photo (${error.message ?? error}). Choose another one.`);
  }
}

try {
  const model = await (await fetch("./model.json")).json();
  const session = await ort.InferenceSession.create("./model.onnx", { executionProviders: ["wasm"] });
  at("about").textContent = `${model.classes.length} classes. Licence of the model: ${model.licence}.`;
  at("photo").addEventListener("change", ({ target }) => {
    if (target.files.length) chosen(session, model, target.files[0]);
  });
  at("photo").disabled = false;
  say("Choose a photo.");
} catch (error) {
  say(`The model cannot be loaded (${error.message ?? error}). The page needs a web server; a file alone will not do.`);
}
