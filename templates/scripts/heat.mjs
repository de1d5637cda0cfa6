// Heat maps: square levels, interpolated smoothly (Catmull-Rom) and coloured on the model's fixed scale.
/** @import { Film } from "./types.mjs" */
import { config } from "./data.mjs";
import { element } from "./elements.mjs";

const PAINTED = 8, OUTLINED = 32;
/** Level that a contour runs along: half of the scale. */
const HALF = 128;

/** Weight of every level in every pixel of an enlarged row.
 * @param {number} side  Levels in a row
 * @param {number} zoom  Pixels for a level
 * @returns {Float32Array[]} */
function makeWeights(side, zoom) {
  const rows = [];
  for (let x = 0; x < side * zoom; x++) {
    const at = (x + 0.5) / zoom - 0.5;
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

/** @type {Map<string, Float32Array[]>} */
const knownWeights = new Map();

/** A film's levels, enlarged: rows of whole numbers from 0 to 255.
 * @param {string} levels  One character a level
 * @param {number} zoom */
function enlarged(levels, zoom) {
  const side = Math.sqrt(levels.length), pixels = side * zoom, key = `${side} ${zoom}`;
  const weights = knownWeights.get(key) ?? makeWeights(side, zoom);
  knownWeights.set(key, weights);
  const wide = new Float32Array(side * pixels), found = new Uint8ClampedArray(pixels * pixels);
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
      found[y * pixels + x] = Math.round(sum);
    }
  }
  return { pixels, found };
}

const colours = makeColours();

/** Red, green, blue and opacity of each level. */
function makeColours() {
  const stops = config.heatStops;
  const table = new Uint8ClampedArray(256 * 4);
  for (let level = 0; level < 256; level++) {
    const at = level / 255 * (stops.length - 1);
    const low = stops[Math.floor(at)], high = stops[Math.min(stops.length - 1, Math.floor(at) + 1)];
    for (let c = 0; c < 4; c++) table[level * 4 + c] = (low[c] + (high[c] - low[c]) * (at % 1)) * (c === 3 ? 255 : 1);
  }
  return table;
}

/** A canvas with a film's heat map, or null without one.
 * @param {Film} film
 * @param {{contour?: boolean}} options  A line at half of the scale in place of colours
 * @returns {HTMLCanvasElement | null} */
export function heatCanvas(film, { contour = false } = {}) {
  if (!film.heat) return null;
  const { pixels, found } = enlarged(atob(film.heat), contour ? OUTLINED : PAINTED);
  const canvas = element("canvas", { width: pixels, height: pixels, "aria-hidden": "true", class: contour ? "contour" : null });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = context.createImageData(pixels, pixels);
  for (let at = 0; at < found.length; at++) {
    if (!contour) image.data.set(colours.subarray(found[at] * 4, found[at] * 4 + 4), at * 4);
    else if (onContour(found, at, pixels)) image.data.set([255, 221, 64, 255], at * 4);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/** Whether a pixel reaches half of the scale and one beside it does not.
 * @param {ArrayLike<number>} found
 * @param {number} at
 * @param {number} pixels */
function onContour(found, at, pixels) {
  const x = at % pixels, inside = (/** @type {number} */ other) => other >= 0 && other < found.length && found[other] >= HALF;
  if (found[at] < HALF) return false;
  return x === 0 || x === pixels - 1 || ![at - 1, at + 1, at - pixels, at + pixels].every(inside);
}

/** How strong a film's heat map is at its strongest, in a word.
 * @param {Film} film */
export function heatWord(film) {
  const top = Math.max(0, ...[...atob(film.heat ?? "")].map((level) => level.charCodeAt(0)));
  return top < 0.1 * 255 ? "none on this film" : top < HALF ? "weak" : "strong";
}

/** Colour the legend of the page. */
export function paintLegend() {
  const last = config.heatStops.length - 1;
  const painted = config.heatStops.map(([r, g, b, opacity], i) => `rgb(${r} ${g} ${b} / ${opacity}) ${100 * i / last}%`);
  const strip = /** @type {HTMLElement} */ (document.querySelector("#legend i"));
  strip.style.backgroundImage = `linear-gradient(90deg, ${painted.join(", ")})`;
}

/** A copy of the legend, on the film's black. */
export function legend() {
  const copy = /** @type {HTMLElement} */ (/** @type {HTMLElement} */ (document.getElementById("legend")).cloneNode(true));
  copy.removeAttribute("id");
  return copy;
}
