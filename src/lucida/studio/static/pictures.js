// Images fetched and decoded before they are asked for, so that the next one is there at once.

const held = new Map(); // url -> { picture, ready: Promise<boolean> }

export function prepare(url) {
  let entry = held.get(url);
  if (!entry) {
    const picture = new Image();
    picture.draggable = false;
    picture.src = url;
    entry = { picture, ready: picture.decode().then(() => true, () => false) };
    held.set(url, entry);
  }
  return entry;
}

// Hold these and let go of all others.
export function hold(urls) {
  for (const url of held.keys()) if (!urls.includes(url)) held.delete(url);
  urls.forEach(prepare);
}
