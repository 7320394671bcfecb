// Bring a photo to what the model takes, to the pixels that the Python side gives: the resampling is Pillow's, two
// passes of whole numbers, not the browser's own, which differs from one browser to the next. Rows come first here;
// some versions of Pillow take columns first where that is faster, which changes pixels by one level at most.

const BITS = 22; // Pillow's precision of weights: 32 bits less 8 of the pixel and 2 to spare
const PAD = 127;

const triangle = (x) => Math.max(0, 1 - Math.abs(x));
const cubic = (x) => {
  const a = -0.5;
  const d = Math.abs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0;
};
const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
const FILTERS = {
  area: { support: 0.5, weigh: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weigh: triangle },
  bicubic: { support: 2, weigh: cubic },
  lanczos: { support: 3, weigh: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

// An image here is {width, height, depth, pixels}: pixels in rows, channels together, 0 to 255.

export async function decode(file) {
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", imageOrientation: "from-image" });
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff"; // transparency is laid over white
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const pixels = new Uint8ClampedArray(width * height * 3);
  for (let from = 0, to = 0; from < data.length; from += 4) {
    for (let channel = 0; channel < 3; channel += 1, to += 1) pixels[to] = data[from + channel];
  }
  return { width, height, depth: 3, pixels };
}

function grey({ width, height, pixels }) {
  const found = new Uint8ClampedArray(width * height);
  for (let i = 0; i < found.length; i += 1) {
    found[i] = (pixels[3 * i] * 19595 + pixels[3 * i + 1] * 38470 + pixels[3 * i + 2] * 7471 + 0x8000) >>> 16;
  }
  return { width, height, depth: 1, pixels: found };
}

// For every new pixel: the first old one that counts, and the weights of it and of those after it.
function weights(before, after, { support, weigh }) {
  const scale = before / after;
  const stretch = Math.max(scale, 1);
  const reach = support * stretch;
  return Array.from({ length: after }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(before, Math.trunc(centre + reach + 0.5));
    const shares = Array.from({ length: end - first }, (_, x) => weigh((x + first - centre + 0.5) / stretch));
    const total = shares.reduce((sum, share) => sum + share, 0);
    const whole = shares.map((share) => {
      const value = (total === 0 ? share : share / total) * 2 ** BITS;
      return Math.trunc(value < 0 ? value - 0.5 : value + 0.5);
    });
    return { first, whole };
  });
}

// One pass, along rows (across) or along columns.
function pass(image, length, filter, across) {
  const { width, height, depth, pixels } = image;
  const table = weights(across ? width : height, length, filter);
  const size = across ? { width: length, height } : { width, height: length };
  const found = new Uint8ClampedArray(size.width * size.height * depth);
  const stride = across ? depth : width * depth;
  for (let y = 0; y < size.height; y += 1) {
    for (let x = 0; x < size.width; x += 1) {
      const { first, whole } = table[across ? x : y];
      const start = across ? (y * width + first) * depth : (first * width + x) * depth;
      for (let channel = 0; channel < depth; channel += 1) {
        let sum = 1 << (BITS - 1);
        for (let k = 0; k < whole.length; k += 1) sum += pixels[start + channel + k * stride] * whole[k];
        found[(y * size.width + x) * depth + channel] = sum >> BITS;
      }
    }
  }
  return { ...size, depth, pixels: found };
}

// Pillow adds up steps, and so do we: their rounding decides which pixel is taken at an edge.
function steps(before, after) {
  const step = before / after;
  const found = [];
  for (let at = step * 0.5, place = 0; place < after; place += 1, at += step) found.push(Math.floor(at));
  return found;
}

function nearest(image, width, height) {
  const { depth, pixels } = image;
  const found = new Uint8ClampedArray(width * height * depth);
  const [columns, rows] = [steps(image.width, width), steps(image.height, height)];
  rows.forEach((row, y) => columns.forEach((column, x) => {
    const from = (row * image.width + column) * depth;
    for (let c = 0; c < depth; c += 1) found[(y * width + x) * depth + c] = pixels[from + c];
  }));
  return { width, height, depth, pixels: found };
}

export function resample(image, width, height, interpolation) {
  if (interpolation === "nearest") return nearest(image, width, height);
  const shrinks = width <= image.width && height <= image.height;
  const filter = FILTERS[interpolation === "area" && !shrinks ? "bilinear" : interpolation];
  let found = image;
  if (width !== found.width) found = pass(found, width, filter, true);
  if (height !== found.height) found = pass(found, height, filter, false);
  return found;
}

function cut(image, size, centre) {
  const half = (length) => {
    const exact = (length - size) / 2;
    if (centre !== "round") return Math.trunc(exact);
    const low = Math.floor(exact); // halves to even, as Python rounds
    return exact - low === 0.5 ? low + (low % 2) : Math.round(exact);
  };
  const [left, top] = [half(image.width), half(image.height)];
  const found = new Uint8ClampedArray(size * size * image.depth);
  for (let y = 0; y < size; y += 1) {
    const from = ((top + y) * image.width + left) * image.depth;
    found.set(image.pixels.subarray(from, from + size * image.depth), y * size * image.depth);
  }
  return { width: size, height: size, depth: image.depth, pixels: found };
}

function pad(image, size, interpolation) {
  const ratio = size / Math.max(image.width, image.height);
  const even = (value) => {
    const low = Math.floor(value);
    return value - low === 0.5 ? low + (low % 2) : Math.round(value);
  };
  const [width, height] = [image.width, image.height].map((length) => Math.max(1, even(length * ratio)));
  const inner = resample(image, width, height, interpolation);
  const found = new Uint8ClampedArray(size * size * inner.depth).fill(PAD);
  const [left, top] = [(size - width) >> 1, (size - height) >> 1];
  for (let y = 0; y < height; y += 1) {
    const row = inner.pixels.subarray(y * width * inner.depth, (y + 1) * width * inner.depth);
    found.set(row, ((top + y) * size + left) * inner.depth);
  }
  return { width: size, height: size, depth: inner.depth, pixels: found };
}

export function fit(image, needs) {
  const { size, interpolation } = needs;
  const source = needs.channels === "L" ? grey(image) : image;
  if (needs.resize === "pad") return pad(source, size, interpolation);
  const edge = Math.max(needs.edge, size);
  let [width, height] = [edge, edge];
  if (needs.resize === "crop") {
    const [short, long] = [Math.min(source.width, source.height), Math.max(source.width, source.height)];
    const scaled = Math.max(edge, Math.floor((edge * long) / short));
    if (source.width <= source.height) height = scaled;
    else width = scaled;
  }
  return cut(resample(source, width, height, interpolation), size, needs.centre);
}

// Return the numbers that the model takes for one photo, and their shape.
export function normalise({ width, height, depth, pixels }, needs) {
  const planar = needs.layout === "NCHW";
  const numbers = new Float32Array(pixels.length);
  const gain = needs.std.map((std) => Math.fround(needs.scale / std));
  const shift = needs.mean.map((mean, channel) => Math.fround(mean / needs.std[channel]));
  for (let i = 0; i < width * height; i += 1) {
    for (let channel = 0; channel < depth; channel += 1) {
      const from = needs.channels === "BGR" ? depth - 1 - channel : channel;
      const to = planar ? channel * width * height + i : i * depth + channel;
      numbers[to] = Math.fround(pixels[i * depth + from] * gain[channel]) - shift[channel];
    }
  }
  return { numbers, shape: planar ? [1, depth, height, width] : [1, height, width, depth] };
}
