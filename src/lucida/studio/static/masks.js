// Masks as run lengths, packed into text as the COCO API packs them: packed, unpacked, and drawn as a picture.
// Source: `rleFrString` and `rleToString` of the COCO API's maskApi.c; runs go down the columns, the first is of zeros.

function unpack(text) {
  const counts = [];
  let at = 0;
  while (at < text.length) {
    let value = 0;
    let shift = 0;
    let code;
    do {
      code = text.charCodeAt(at++) - 48;
      value |= (code & 31) << shift;
      shift += 5;
    } while (code & 32);
    if (code & 16) value |= -1 << shift;
    counts.push(value + (counts.length > 2 ? counts[counts.length - 2] : 0));
  }
  return counts;
}

// The runs of a mask, whichever way it holds them.
export const runsOf = ({ counts }) => (typeof counts === "string" ? unpack(counts) : counts);

export function pack(runs) {
  let text = "";
  runs.forEach((run, i) => {
    let value = i > 2 ? run - runs[i - 2] : run;
    for (let more = true; more; ) {
      const code = value & 31;
      value >>= 5;
      more = value !== (code & 16 ? -1 : 0);
      text += String.fromCharCode((more ? code | 32 : code) + 48);
    }
  });
  return text;
}

// Whether a mask holds a point.
export function holds(mask, x, y) {
  const [height, width] = mask.size;
  const at = Math.min(Math.floor(x), width - 1) * height + Math.min(Math.floor(y), height - 1);
  let place = 0;
  const run = runsOf(mask).findIndex((length) => (place += length) > at);
  return run % 2 === 1;
}

const drawn = new Map(); // of the image that is shown: text -> address of the picture

// The address of a picture of the mask, the colour [r, g, b] where it is and nothing elsewhere.
export function maskPicture({ size: [height, width], counts }, [r, g, b], opacity) {
  const key = `${r},${g},${b},${opacity},${width},${counts}`;
  if (!drawn.has(key)) {
    if (drawn.size > 40) drawn.clear();
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const pen = canvas.getContext("2d");
    const pixels = pen.createImageData(width, height);
    let place = 0;
    runsOf({ counts }).forEach((run, i) => {
      for (const end = place + run; place < end; place++) {
        if (i % 2 === 0) continue;
        const to = 4 * ((place % height) * width + Math.floor(place / height));
        pixels.data.set([r, g, b, Math.round(255 * opacity)], to);
      }
    });
    pen.putImageData(pixels, 0, 0);
    drawn.set(key, canvas.toDataURL());
  }
  return drawn.get(key);
}
