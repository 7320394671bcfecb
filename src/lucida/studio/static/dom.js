// Elements in one line each. All text goes in as text, never as HTML: file names and classes are not to be trusted.

export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// A button with its key shown on it.
export function keyButton({ text, key, name, shortcut, onclick, className = "" }) {
  return h(
    "button",
    { type: "button", class: className, onclick, "aria-label": name, "aria-keyshortcuts": shortcut ?? key },
    key ? h("kbd", { "aria-hidden": "true" }, key) : null,
    h("span", { class: "text" }, text),
  );
}

// After the browser has drawn; a tab in the background draws nothing, so it does not wait for long.
export function painted() {
  return new Promise((resolve) => {
    const late = setTimeout(resolve, 100);
    requestAnimationFrame(() => {
      clearTimeout(late);
      resolve();
    });
  });
}
