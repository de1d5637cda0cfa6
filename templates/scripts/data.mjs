// The films and what the page knows of the run, read from its JSON blocks.
/** @import { Column, Config, Film } from "./types.mjs" */
import { byId } from "./elements.mjs";

/** @type {Config} */
export const config = JSON.parse(byId("config").textContent ?? "");
export const films = readFilms();
/** @type {Map<string, Column>} */
export const columnByName = new Map(config.columns.map((column) => [column.name, column]));
/** @type {Map<string, string>} */
export const outcomeTitles = new Map(config.outcomes.map(({ key, title }) => [key, title]));

/** Keys of the outcomes of a kind, in the report's order.
 * @param {string} wanted */
export function outcomesOfKind(wanted) {
  return config.outcomes.filter(({ kind }) => kind === wanted).map(({ key }) => key);
}

/** @returns {Film[]} */
function readFilms() {
  const all = [];
  for (const block of document.querySelectorAll("script.rows")) {
    let embedded = 0;
    for (const row of JSON.parse(block.textContent ?? "")) {
      /** @type {Record<string, any>} */
      const film = { index: all.length };
      config.row.forEach((name, i) => { film[name] = row[i]; });
      if (film.image === 1) film.slot = embedded++;
      all.push(/** @type {Film} */ (film));
    }
  }
  return all;
}

const imageBlocks = document.querySelectorAll("script.images");
/** @type {Map<number, string[]>} */
const openBlocks = new Map();
const MAX_OPEN_BLOCKS = 24;

/** The address of a film's picture: inside the page, beside it, or null.
 * @param {Film} film */
export function imageAddress(film) {
  if (!film.image) return null;
  if (film.image !== 1) return String(film.image);
  const number = Math.floor(film.index / config.block);
  let block = openBlocks.get(number);
  if (!block) {
    if (openBlocks.size === MAX_OPEN_BLOCKS) openBlocks.delete([...openBlocks.keys()][0]);
    block = /** @type {string[]} */ (JSON.parse(imageBlocks[number].textContent ?? ""));
    openBlocks.set(number, block);
  }
  return "data:image/jpeg;base64," + block[/** @type {number} */ (film.slot)];
}
