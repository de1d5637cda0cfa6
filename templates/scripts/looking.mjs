// Looking at a film: zoom, place, grey window, inversion, and how the heat map is drawn.
import { element, fieldOf } from "./elements.mjs";

const MAX_ZOOM = 8;
/** Heat map -> how it is drawn, in the order of the key h. */
const HEAT_STYLES = { colour: "Colours", contour: "Contour at half", off: "Off" };
const START = { zoom: 1, x: 0, y: 0, black: 0, white: 100, invert: false, heat: "colour", outline: true };

/** CSS filter that makes one grey level black and another white.
 * @param {number} black  Percent
 * @param {number} white  Percent, above `black`
 * @param {boolean} invert */
export function greyFilter(black, white, invert) {
  const slope = 100 / (white - black), contrast = 1 + 2 * slope * black / 100;
  const window = black === 0 && white === 100 ? "" : `brightness(${slope / contrast}) contrast(${contrast})`;
  return [window, invert ? "invert(1)" : ""].filter(Boolean).join(" ") || "none";
}

/** @typedef {typeof START} Values */

export class Look {
  /** @type {Values} */
  values = { ...START };

  /** @param {HTMLElement} holder  Whose films follow
   * @param {() => void} onRedraw  Called when heat map and controls are to be made anew */
  constructor(holder, onRedraw) {
    this.holder = holder;
    this.onRedraw = onRedraw;
    holder.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    holder.addEventListener("pointermove", (event) => this.onDrag(event));
    holder.addEventListener("dblclick", (event) => { if (onFilm(event)) this.set({ zoom: this.values.zoom > 1 ? 1 : 2.5 }, true); });
  }

  /** Take over a change and show it.
   * @param {Partial<Values>} change
   * @param {boolean} redraw  Whether the controls are to say it too */
  set(change, redraw = false) {
    const next = { ...this.values, ...change };
    next.zoom = Math.min(MAX_ZOOM, Math.max(1, next.zoom));
    const reach = (next.zoom - 1) / 2 * 100;
    next.x = Math.min(reach, Math.max(-reach, next.x));
    next.y = Math.min(reach, Math.max(-reach, next.y));
    next.black = Math.min(next.black, 95);
    next.white = Math.max(next.white, next.black + 5);
    this.values = next;
    this.show();
    if (redraw) this.onRedraw();
  }

  show() {
    const { zoom, x, y, black, white, invert } = this.values, style = this.holder.style;
    style.setProperty("--zoom", String(zoom));
    style.setProperty("--pan-x", `${x}%`);
    style.setProperty("--pan-y", `${y}%`);
    style.setProperty("--grey", greyFilter(black, white, invert));
  }

  /** Do what a key stands for; false for another key.
   * @param {string} key */
  onKey(key) {
    const { zoom, invert, heat, outline } = this.values, styles = Object.keys(HEAT_STYLES);
    /** @type {Record<string, Partial<Values>>} */
    const changes = {
      h: { heat: styles[(styles.indexOf(heat) + 1) % styles.length] },
      i: { invert: !invert },
      o: { outline: !outline },
      "+": { zoom: zoom * 1.25 },
      "-": { zoom: zoom / 1.25 },
      0: START,
    };
    if (!Object.hasOwn(changes, key)) return false;
    this.set(changes[key], true);
    return true;
  }

  /** @param {WheelEvent} event */
  onWheel(event) {
    if (!onFilm(event)) return;
    event.preventDefault();
    this.set({ zoom: this.values.zoom * (event.deltaY < 0 ? 1.2 : 1 / 1.2) }, true);
  }

  /** @param {PointerEvent} event */
  onDrag(event) {
    const { zoom, x, y } = this.values;
    if (!(event.buttons & 1) || zoom === 1 || !onFilm(event)) return;
    const { clientWidth, clientHeight } = /** @type {HTMLElement} */ (event.target);
    this.set({ x: x + 100 * event.movementX / clientWidth, y: y + 100 * event.movementY / clientHeight });
  }

  /** The controls, saying what is set.
   * @param {boolean} hasHeat
   * @param {boolean} hasRegions */
  controls(hasHeat, hasRegions = false) {
    return element("div", { class: "looking" },
      this.range("zoom", "Zoom", 1, MAX_ZOOM, 0.1), this.range("black", "Black", 0, 95, 1), this.range("white", "White", 5, 100, 1),
      this.tick("invert", "Invert"),
      hasRegions ? this.tick("outline", "Outline regions (o)", true) : null,
      hasHeat ? this.heatSelect() : null,
      element("button", { type: "button", class: "quiet", "data-key": "reset", onclick: () => this.set(START, true) }, "Reset"));
  }

  /** @param {"zoom" | "black" | "white"} name
   * @param {string} label
   * @param {number} min
   * @param {number} max
   * @param {number} step */
  range(name, label, min, max, step) {
    return element("label", { class: "pair" }, label, element("input", {
      type: "range", min, max, step, "data-key": name, value: this.values[name],
      oninput: (/** @type {Event} */ event) => this.set({ [name]: Number(fieldOf(event).value) }),
    }));
  }

  /** @param {"invert" | "outline"} name
   * @param {string} label
   * @param {boolean} redraw */
  tick(name, label, redraw = false) {
    return element("label", { class: "pair" }, element("input", {
      type: "checkbox", "data-key": name, checked: this.values[name],
      onchange: (/** @type {Event} */ event) => this.set({ [name]: fieldOf(event).checked }, redraw),
    }), label);
  }

  heatSelect() {
    const options = Object.entries(HEAT_STYLES).map(([value, title]) => element("option", { value, selected: value === this.values.heat }, title));
    return element("label", { class: "pair" }, "Heat map", element("select", {
      "data-key": "heat", onchange: (/** @type {Event} */ event) => this.set({ heat: fieldOf(event).value }, true),
    }, ...options));
  }
}

/** @param {Event} event */
function onFilm(event) {
  return /** @type {HTMLElement} */ (event.target).closest(".viewer-films .film") !== null;
}
