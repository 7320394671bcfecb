// How an image gets onto the page: dropped, pasted or chosen.
import { say } from "/static/words.js";

// opened(files, where they were let go); over(whether files hang over the page).
export function openedFrom(opened, over) {
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  window.addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    over(true);
  });
  window.addEventListener("dragleave", (event) => !event.relatedTarget && over(false));
  window.addEventListener("drop", (event) => {
    over(false);
    if (!event.dataTransfer?.files.length) return;
    event.preventDefault();
    opened([...event.dataTransfer.files], event.target);
  });
  window.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"));
    if (files.length) opened(files, event.target);
  });
}

// Send an image to an address; of one that is too large only its size, for the reason why.
export async function upload(address, file, most) {
  const query = new URLSearchParams({ name: file.name.slice(-200), size: file.size });
  try {
    const response = await fetch(`${address}?${query}`, { method: "POST", body: file.size > most ? null : file });
    if (response.status === 403) return { error: { what: say("state.refused") } };
    const found = await response.json();
    return response.ok || found.error ? found : { error: { what: say("find.failed") } };
  } catch {
    return { error: { what: say("find.lost") } };
  }
}
