// Regions in which a film's heat lies: outlines over the picture, and what there is to say of them.
/** @import { Cell, Film, Reading, Region } from "./types.mjs" */
import { callOf } from "./calls.mjs";

const SVG = "http://www.w3.org/2000/svg";
/** Columns of results.csv that tell of regions; without one they are empty. */
const COLUMNS = new Set(["n_regions", "regions"]);

/** Whether a column tells of regions, which follow from the call.
 * @param {string} name */
export function isOfRegions(name) {
  return COLUMNS.has(name) || name.startsWith("largest_region");
}

/** The regions to outline; none on a film that is called normal, as cxrscan/scanner/decision.py decides it.
 * @param {Film} film
 * @param {Pick<Reading, "config" | "state">} reading
 * @returns {Region[]} */
export function shownRegions(film, { config, state }) {
  const called = callOf(film, state.threshold, config);
  return called === null || called === config.classes.negative ? [] : film.regions ?? [];
}

/** The value of a column of regions at the reader's threshold.
 * @param {Film} film
 * @param {string} name
 * @param {Reading} reading
 * @returns {Cell} */
export function regionCell(film, name, reading) {
  const shown = shownRegions(film, reading);
  if (name === "n_regions") return film.status === "scored" ? shown.length : null;
  return shown.length ? /** @type {Record<string, any>} */ (film)[name] : null;
}

/** Where a region lies, in words.
 * @param {Region} region */
export function placeOf({ side, zone, mirrored }) {
  const place = [side, zone].filter(Boolean).join(" ");
  return place ? place + (mirrored ? ", if the film is not mirrored" : "") : "a film that is turned";
}

/** A region in a line.
 * @param {Region} region */
export function regionText(region) {
  const size = region.size_mm ? `, ${region.size_mm.map((side) => Math.round(side)).join(" × ")} mm` : "";
  return `${placeOf(region)}: ${Math.round(100 * region.share_of_heat)} % of the heat${size}`;
}

/** Outlines over a film's picture, with their numbers.
 * @param {Film} film
 * @param {Region[]} regions
 * @returns {Node[]} */
export function outlines(film, regions) {
  const width = Number(film.width_px), height = Number(film.height_px);
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("class", "outlines");
  drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  drawing.setAttribute("preserveAspectRatio", "none");
  drawing.setAttribute("aria-hidden", "true");
  for (const kind of ["under", "over"]) {
    for (const region of regions) {
      const polygon = document.createElementNS(SVG, "polygon");
      polygon.setAttribute("class", kind);
      polygon.setAttribute("points", region.polygon_px.map((corner) => corner.join(",")).join(" "));
      drawing.append(polygon);
    }
  }
  return [drawing, ...regions.map((region, i) => numberLabel(region, i, width, height))];
}

/** The number of a region, at the top of its outline.
 * @param {Region} region
 * @param {number} i
 * @param {number} width
 * @param {number} height */
function numberLabel({ polygon_px }, i, width, height) {
  const [left, top] = polygon_px.reduce((highest, corner) => (corner[1] < highest[1] ? corner : highest));
  const label = document.createElement("span");
  label.className = "outline-number";
  label.textContent = String(i + 1);
  label.setAttribute("aria-hidden", "true");
  label.style.left = `${100 * left / width}%`;
  label.style.top = `${100 * top / height}%`;
  return label;
}
