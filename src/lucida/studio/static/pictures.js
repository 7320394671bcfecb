// Images fetched before they are asked for, the very next ones decoded too, so that the next one is there at once.

const DECODED = 3; // a photo of 12 megapixels takes 48 MB when decoded, and a good part of a second to decode

const held = new Map(); // url -> { picture, ready: Promise<boolean> once it is being decoded }

function fetched(url) {
  let entry = held.get(url);
  if (!entry) {
    const picture = new Image();
    picture.draggable = false;
    picture.src = url;
    entry = { picture, ready: null };
    held.set(url, entry);
  }
  return entry;
}

// The picture at an address, and whether it can be shown, known once it is decoded.
export function prepare(url) {
  const entry = fetched(url);
  entry.ready ??= entry.picture.decode().then(() => true, () => false);
  return entry;
}

// Hold what was shown and what comes next, in this order; let go of all others.
export function hold(shown, coming) {
  for (const url of held.keys()) if (!shown.includes(url) && !coming.includes(url)) held.delete(url);
  coming.forEach((url, i) => (i < DECODED ? prepare(url) : fetched(url)));
}
