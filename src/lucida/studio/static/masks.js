// Masks as run lengths, packed into text as the COCO API packs them: unpacked, and drawn as a picture.
// Source: `rleFrString` of the COCO API's maskApi.c; runs go down the columns, the first is of zeros.

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
    (typeof counts === "string" ? unpack(counts) : counts).forEach((run, i) => {
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
