// Heat maps: square levels, interpolated smoothly (Catmull-Rom) and coloured on the model's fixed scale.
/** @import { Film } from "./types.mjs" */
import { config } from "./data.mjs";
import { element } from "./elements.mjs";

const ZOOM = 8;

/** Weight of every level in every pixel of an enlarged row.
 * @param {number} side  Levels in a row */
function makeWeights(side) {
  const rows = [];
  for (let x = 0; x < side * ZOOM; x++) {
    const at = (x + 0.5) / ZOOM - 0.5;
    const left = Math.floor(at);
    const t = at - left;
    const kernel = [
      ((2 - t) * t - 1) * t / 2,
      ((3 * t - 5) * t * t + 2) / 2,
      ((4 - 3 * t) * t + 1) * t / 2,
      (t - 1) * t * t / 2,
    ];
    const weights = new Float32Array(side);
    kernel.forEach((weight, k) => { weights[Math.min(side - 1, Math.max(0, left - 1 + k))] += weight; });
    rows.push(weights);
  }
  return rows;
}

/** @type {Map<number, Float32Array[]>} */
const weightsBySide = new Map();
const colours = makeColours();

function makeColours() {
  const stops = config.heatStops;
  const table = new Uint8ClampedArray(256 * 4);
  for (let level = 0; level < 256; level++) {
    const at = level / 255 * (stops.length - 1);
    const low = stops[Math.floor(at)], high = stops[Math.min(stops.length - 1, Math.floor(at) + 1)];
    for (let c = 0; c < 3; c++) table[level * 4 + c] = low[c] + (high[c] - low[c]) * (at % 1);
    table[level * 4 + 3] = level;
  }
  return table;
}

/** A canvas with a film's heat map, or null without one.
 * @param {Film} film */
export function heatCanvas(film) {
  if (!film.heat) return null;
  const levels = atob(film.heat), side = Math.sqrt(levels.length), pixels = side * ZOOM;
  const weights = weightsBySide.get(side) ?? makeWeights(side);
  weightsBySide.set(side, weights);
  const canvas = element("canvas", { width: pixels, height: pixels, "aria-hidden": "true" });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = context.createImageData(pixels, pixels);
  const wide = new Float32Array(side * pixels);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < pixels; x++) {
      let sum = 0;
      for (let k = 0; k < side; k++) sum += weights[x][k] * levels.charCodeAt(y * side + k);
      wide[y * pixels + x] = sum;
    }
  }
  for (let y = 0; y < pixels; y++) {
    for (let x = 0; x < pixels; x++) {
      let sum = 0;
      for (let k = 0; k < side; k++) sum += weights[y][k] * wide[k * pixels + x];
      const level = Math.min(255, Math.max(0, Math.round(sum)));
      image.data.set(colours.subarray(level * 4, level * 4 + 4), (y * pixels + x) * 4);
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** Colour the legend of the page. */
export function paintLegend() {
  const last = config.heatStops.length - 1;
  const painted = config.heatStops.map(([r, g, b], i) => `rgb(${r} ${g} ${b} / ${i / last}) ${100 * i / last}%`);
  const strip = /** @type {HTMLElement} */ (document.querySelector("#legend i"));
  strip.style.backgroundImage = `linear-gradient(90deg, ${painted.join(", ")})`;
}

/** A copy of the legend, on the film's black. */
export function legend() {
  const copy = /** @type {HTMLElement} */ (/** @type {HTMLElement} */ (document.getElementById("legend")).cloneNode(true));
  copy.removeAttribute("id");
  return copy;
}
