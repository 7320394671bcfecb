// An image that is zoomed and moved, and painted on: one mask, as run lengths.
import { Stage } from "/static/look_stage.js";
import { PaintOverlay } from "/static/painting.js";

const GRID = 16e6; // pixels that are painted on; of larger images a smaller grid is

export class PaintStage extends Stage {
  // changed(): something was painted, or the zoom is another; ink: { colour, strength } of what is painted.
  constructor(changed, ink) {
    super();
    this.changed = changed;
    this.paint = new PaintOverlay(() => this.changed(), ink);
    this.paint.enabled = false;
    this.element.classList.add("paints");
    this.sheet.append(this.paint.canvas, this.paint.svg);
    const { svg } = this.paint;
    // What paints does not also move the image.
    for (const name of ["pointerdown", "dblclick"]) svg.addEventListener(name, (event) => event.stopPropagation());
    svg.addEventListener("wheel", (event) => event.defaultPrevented && event.stopPropagation());
  }

  clear() {
    super.clear();
    this.paint?.clear();
  }

  // Begin with a sheet of a size, on which so far a mask is painted.
  lay({ width, height }, mask = null) {
    Object.assign(this, { width, height });
    const fewer = Math.min(1, Math.sqrt(GRID / (width * height)));
    const grid = { width: Math.max(1, Math.floor(width * fewer)), height: Math.max(1, Math.floor(height * fewer)) };
    const begun = mask && mask.size[0] === grid.height && mask.size[1] === grid.width ? { mask } : {};
    this.paint.show({ ...grid, others: [], hints: [], boxes: [{ label: "", box: [0, 0, 0, 0], ...begun }], many: false, fresh: () => "" });
    this.sheet.hidden = false;
    this.fit();
  }

  // Run lengths of what was painted; null where nothing was.
  get mask() {
    const [one] = this.paint.boxes;
    return one?.mask && !one.empty ? one.mask : null;
  }

  place() {
    super.place();
    if (!this.paint || !this.width) return;
    this.sheet.style.setProperty("--closer", this.scale);
    if (this.painting) this.paint.draw();
  }

  get painting() {
    return this.paint?.enabled;
  }

  // Take a tool of the brush's; false to lay it down.
  use(tool) {
    this.paint.enabled = Boolean(tool);
    this.element.classList.toggle("painting", Boolean(tool));
    if (tool) this.paint.use(tool);
    else this.paint.point(null);
    this.place();
  }
}
