// The films, read from the page's JSON blocks, and small helpers for building elements.
const config = JSON.parse(document.getElementById("config").textContent);
const films = readFilms();

function readFilms() {
  const all = [];
  for (const block of document.querySelectorAll("script.rows")) {
    let embedded = 0;
    for (const row of JSON.parse(block.textContent)) {
      const film = { index: all.length };
      config.row.forEach((name, i) => { film[name] = row[i]; });
      if (film.image === 1) film.slot = embedded++;
      all.push(film);
    }
  }
  return all;
}

const imageBlocks = document.querySelectorAll("script.images");
const openBlocks = new Map();
const MAX_OPEN_BLOCKS = 24;

/** The address of a film's picture: inside the page, beside it, or null. */
function imageAddress(film) {
  if (!film.image) return null;
  if (film.image !== 1) return film.image;
  const number = Math.floor(film.index / config.block);
  let block = openBlocks.get(number);
  if (!block) {
    if (openBlocks.size === MAX_OPEN_BLOCKS) openBlocks.delete(openBlocks.keys().next().value);
    block = JSON.parse(imageBlocks[number].textContent);
    openBlocks.set(number, block);
  }
  return "data:image/jpeg;base64," + block[film.slot];
}

/** An element; text goes in as text, never as HTML. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "value" || key === "checked") made[key] = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}
