// The frame: theme and language. Both are remembered in cookies, so that they hold for every port and the next run.

const YEAR = 365 * 24 * 3600;
const THEMES = ["auto", "light", "dark"];

function remember(name, value) {
  document.cookie = `${name}=${value}; path=/; max-age=${YEAR}; samesite=strict`;
}

function showTheme(theme) {
  const button = document.getElementById("theme");
  document.documentElement.dataset.theme = theme;
  button.title = button.dataset[theme];
  button.setAttribute("aria-label", button.dataset[theme]);
  for (const icon of button.children) icon.hidden = icon.dataset.for !== theme;
}

function begin() {
  const root = document.documentElement;
  showTheme(root.dataset.theme);
  document.getElementById("theme").addEventListener("click", () => {
    const theme = THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length];
    remember("lucida-theme", theme);
    showTheme(theme);
    // Elements of the web framework have a theme of their own.
    globalThis.setDark?.(theme === "auto" ? null : theme === "dark");
  });
  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => {
      remember("lucida-language", button.dataset.language);
      location.reload();
    });
  }
}

begin();
