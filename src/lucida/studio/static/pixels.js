// The pixels of one mask while it is painted: set and cleared under a brush or within a polygon, read back as runs.
// They lie column after column, as the runs do.
import { pack, runsOf } from "/static/masks.js";

export class Pixels {
  // mask: run lengths to begin with; without one, nothing is set
  constructor(width, height, mask) {
    this.width = width;
    this.height = height;
    this.bits = new Uint8Array(width * height);
    let place = 0;
    if (mask) runsOf(mask).forEach((run, i) => this.bits.fill(i % 2, place, (place += run)));
  }

  // Set (1) or clear (0) what lies within a radius of the line between two points; returns what may have changed.
  line([x0, y0], [x1, y1], radius, value) {
    const around = this.within(Math.min(x0, x1) - radius, Math.min(y0, y1) - radius, Math.max(x0, x1) + radius, Math.max(y0, y1) + radius);
    const [left, top, right, bottom] = around;
    const [dx, dy] = [x1 - x0, y1 - y0];
    const length = dx * dx + dy * dy;
    for (let x = left; x < right; x++) {
      for (let y = top; y < bottom; y++) {
        const [px, py] = [x + 0.5 - x0, y + 0.5 - y0];
        const along = length ? Math.max(0, Math.min(1, (px * dx + py * dy) / length)) : 0;
        if ((px - along * dx) ** 2 + (py - along * dy) ** 2 <= radius * radius) this.bits[x * this.height + y] = value;
      }
    }
    // The pixel under a point that is finer than a pixel.
    if (right > left && bottom > top) {
      const [x, y] = [Math.min(Math.floor(x1), this.width - 1), Math.min(Math.floor(y1), this.height - 1)];
      if (radius < 1) this.bits[x * this.height + y] = value;
    }
    return around;
  }

  // Set or clear the pixels whose middle lies within a polygon, by the even-odd rule; returns what may have changed.
  polygon(points, value) {
    const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
    const around = this.within(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys));
    for (let x = around[0]; x < around[2]; x++) {
      const middle = x + 0.5;
      const crossings = [];
      points.forEach(([ax, ay], i) => {
        const [bx, by] = points[(i + 1) % points.length];
        if (ax <= middle !== bx <= middle) crossings.push(ay + ((middle - ax) / (bx - ax)) * (by - ay));
      });
      crossings.sort((a, b) => a - b);
      for (let i = 0; i + 1 < crossings.length; i += 2) {
        const top = Math.max(0, Math.ceil(crossings[i] - 0.5));
        const bottom = Math.min(this.height, Math.ceil(crossings[i + 1] - 0.5));
        if (bottom > top) this.bits.fill(value, x * this.height + top, x * this.height + bottom);
      }
    }
    return around;
  }

  // Whole pixels within the image around a place.
  within(left, top, right, bottom) {
    const clip = (value, most) => Math.max(0, Math.min(most, value));
    const low = [clip(Math.floor(left), this.width), clip(Math.floor(top), this.height)];
    return [...low, clip(Math.ceil(right) + 1, this.width), clip(Math.ceil(bottom) + 1, this.height)];
  }

  // Left, top, right, bottom around what is set; null where nothing is.
  get box() {
    const { height, bits } = this;
    const first = bits.indexOf(1);
    if (first < 0) return null;
    const last = bits.lastIndexOf(1);
    const [left, right] = [Math.floor(first / height), Math.floor(last / height) + 1];
    let [top, bottom] = [height, 0];
    for (let x = left; x < right; x++) {
      const column = bits.subarray(x * height, (x + 1) * height);
      const from = column.indexOf(1);
      if (from < 0) continue;
      top = Math.min(top, from);
      bottom = Math.max(bottom, column.lastIndexOf(1) + 1);
    }
    return [left, top, right, bottom];
  }

  // The mask as run lengths.
  get mask() {
    const { bits, width, height } = this;
    const runs = [];
    let value = 0;
    for (let place = 0; place < bits.length; value = 1 - value) {
      const next = bits.indexOf(1 - value, place);
      const end = next < 0 ? bits.length : next;
      runs.push(end - place);
      place = end;
    }
    return { size: [height, width], counts: pack(runs) };
  }

  // Draw a part on a canvas of the image's size.
  draw(pen, [left, top, right, bottom], [r, g, b], opacity) {
    const [width, height] = [right - left, bottom - top];
    if (width < 1 || height < 1) return;
    const picture = pen.createImageData(width, height);
    const words = new Uint32Array(picture.data.buffer);
    const [colour] = new Uint32Array(new Uint8ClampedArray([r, g, b, 255 * opacity]).buffer);
    for (let x = 0; x < width; x++) {
      const from = (left + x) * this.height + top;
      for (let y = 0; y < height; y++) if (this.bits[from + y]) words[y * width + x] = colour;
    }
    pen.putImageData(picture, left, top);
  }
}
