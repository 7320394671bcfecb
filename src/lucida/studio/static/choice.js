// A row of which one is chosen.
import { h } from "/static/dom.js";

let groups = 0;

// options: [value, text] each; changed(): another is chosen.
export function choice(legend, options, changed) {
  const name = `choice-${(groups += 1)}`;
  const inputs = options.map(([value]) => h("input", { type: "radio", name, value, class: "unseen", onchange: changed }));
  const labels = options.map(([, text], i) => h("label", {}, inputs[i], h("span", {}, text)));
  const element = h("fieldset", { class: "one-of" }, h("legend", { class: "legend" }, legend), ...labels);
  const of = (value) => inputs.find((one) => one.value === value);
  return {
    element,
    enable(value, on) {
      of(value).disabled = !on;
      if (!on && of(value).checked) inputs[0].checked = true;
    },
    get value() {
      return inputs.find((one) => one.checked)?.value ?? "";
    },
    set value(value) {
      of(value).checked = true;
    },
  };
}
