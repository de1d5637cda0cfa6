// Heat maps: 7 x 7 levels, interpolated smoothly (Catmull-Rom) and coloured on the model's fixed scale.
const HEAT_SIDE = 7;
const HEAT_ZOOM = 8;
const HEAT_PIXELS = HEAT_SIDE * HEAT_ZOOM;
const heatWeights = makeHeatWeights();
const heatColours = makeHeatColours();

function makeHeatWeights() {
  const rows = [];
  for (let x = 0; x < HEAT_PIXELS; x++) {
    const at = (x + 0.5) / HEAT_ZOOM - 0.5;
    const left = Math.floor(at);
    const t = at - left;
    const kernel = [
      ((2 - t) * t - 1) * t / 2,
      ((3 * t - 5) * t * t + 2) / 2,
      ((4 - 3 * t) * t + 1) * t / 2,
      (t - 1) * t * t / 2,
    ];
    const weights = new Float32Array(HEAT_SIDE);
    kernel.forEach((weight, k) => { weights[Math.min(HEAT_SIDE - 1, Math.max(0, left - 1 + k))] += weight; });
    rows.push(weights);
  }
  return rows;
}

function makeHeatColours() {
  const stops = config.heatStops;
  const colours = new Uint8ClampedArray(256 * 4);
  for (let level = 0; level < 256; level++) {
    const at = level / 255 * (stops.length - 1);
    const low = stops[Math.floor(at)], high = stops[Math.min(stops.length - 1, Math.floor(at) + 1)];
    for (let c = 0; c < 3; c++) colours[level * 4 + c] = low[c] + (high[c] - low[c]) * (at % 1);
    colours[level * 4 + 3] = level;
  }
  return colours;
}

/** A canvas with a film's heat map, or null without one. */
function heatCanvas(film) {
  if (!film.heat) return null;
  const levels = atob(film.heat);
  const canvas = element("canvas", { width: HEAT_PIXELS, height: HEAT_PIXELS, "aria-hidden": "true" });
  const context = canvas.getContext("2d");
  const image = context.createImageData(HEAT_PIXELS, HEAT_PIXELS);
  const wide = new Float32Array(HEAT_SIDE * HEAT_PIXELS);
  for (let y = 0; y < HEAT_SIDE; y++) {
    for (let x = 0; x < HEAT_PIXELS; x++) {
      let sum = 0;
      for (let k = 0; k < HEAT_SIDE; k++) sum += heatWeights[x][k] * levels.charCodeAt(y * HEAT_SIDE + k);
      wide[y * HEAT_PIXELS + x] = sum;
    }
  }
  for (let y = 0; y < HEAT_PIXELS; y++) {
    for (let x = 0; x < HEAT_PIXELS; x++) {
      let sum = 0;
      for (let k = 0; k < HEAT_SIDE; k++) sum += heatWeights[y][k] * wide[k * HEAT_PIXELS + x];
      const level = Math.min(255, Math.max(0, Math.round(sum)));
      const at = (y * HEAT_PIXELS + x) * 4;
      image.data.set(heatColours.subarray(level * 4, level * 4 + 4), at);
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
