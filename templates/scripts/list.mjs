// The list of films, as gallery or table: only what is in view exists as elements, so that ten thousand scroll like ten.
/** @import { Film } from "./types.mjs" */
import { columnByName, config, films } from "./data.mjs";
import { element } from "./elements.mjs";
import {
  callBadge, caveatMark, filmFrame, outcomeBadge, pathLabel, plainText, probabilityBar, probabilityText, reasonsOf,
  shortReason, spokenFilm, verdictMark,
} from "./film_parts.mjs";
import { cellOf, valueOf } from "./filters.mjs";
import { isHidden, prediction, reading, state } from "./state.mjs";

/** @typedef {{perRow: number, rowHeight: number, margin: number}} Measures  Films in a row; heights in CSS pixels */

/** What all lists share: rows of equal height, of which those in view are filled.
 * @abstract
 * @template {object} Item  A film or a study */
export class VirtualList {
  /** @type {HTMLElement} */
  root;
  /** @type {Item[]} */
  shown = [];
  /** @type {Map<Item, HTMLElement>} */
  items = new Map();
  /** @type {HTMLElement | null} */
  end = null;

  /** @param {HTMLElement} scroller
   * @param {HTMLElement} body */
  constructor(scroller, body) {
    this.scroller = scroller;
    this.body = body;
    this.root = body;
  }

  /** @abstract
   * @returns {Measures} */
  measure() { throw new Error("abstract"); }

  /** Leave room for the rows that are not there.
   * @abstract
   * @param {number} _above
   * @param {number} _below */
  place(_above, _below) { throw new Error("abstract"); }

  /** @abstract
   * @param {Item} _thing
   * @returns {HTMLElement} */
  make(_thing) { throw new Error("abstract"); }

  /** Bring an item's texts up to date.
   * @abstract
   * @param {HTMLElement} _item
   * @param {Item} _thing */
  update(_item, _thing) { throw new Error("abstract"); }

  /** Tell an item's place among all.
   * @abstract
   * @param {HTMLElement} _item
   * @param {number} _position */
  number(_item, _position) { throw new Error("abstract"); }

  /** @param {Item[]} selection */
  show(selection) {
    this.shown = selection;
    this.draw();
  }

  /** Bring texts up to date after the threshold or a verdict has changed. */
  refresh() {
    this.items.forEach((item, thing) => this.update(item, thing));
  }

  draw() {
    if (!this.scroller.clientWidth) return;
    const { perRow, rowHeight, margin } = this.measure();
    const rows = Math.ceil(this.shown.length / perRow);
    this.scroller.style.setProperty("--content-height", `${rows * rowHeight + margin + 16}px`);
    const top = this.scroller.scrollTop - margin;
    const first = Math.max(0, Math.min(rows, Math.floor(top / rowHeight) - 1));
    const last = Math.min(rows, Math.ceil((top + this.scroller.clientHeight) / rowHeight) + 1);
    this.place(first * rowHeight, (rows - last) * rowHeight);
    this.fill(first * perRow, Math.min(this.shown.length, last * perRow));
  }

  /** @param {number} from
   * @param {number} to */
  fill(from, to) {
    const wanted = new Set(this.shown.slice(from, to));
    for (const [thing, item] of this.items) {
      if (!wanted.has(thing)) {
        item.remove();
        this.items.delete(thing);
      }
    }
    let next = this.end;
    for (let position = to - 1; position >= from; position--) {
      const thing = this.shown[position];
      const item = this.items.get(thing) ?? this.add(thing);
      this.number(item, position);
      if (item.parentNode !== this.body || item.nextSibling !== next) this.body.insertBefore(item, next);
      next = item;
    }
  }

  /** @param {Item} thing */
  add(thing) {
    const item = this.make(thing);
    this.update(item, thing);
    this.items.set(thing, item);
    return item;
  }

  clear() {
    this.items.forEach((item) => item.remove());
    this.items.clear();
  }
}

/** @typedef {(film: Film) => void} Open */

/** @extends {VirtualList<Film>} */
export class Gallery extends VirtualList {
  /** @param {HTMLElement} scroller
   * @param {Open} open */
  constructor(scroller, open) {
    super(scroller, element("ul", { class: "gallery" }));
    this.open = open;
    this.root = element("div", { class: "gallery-space" }, this.body);
  }

  measure() {
    const gap = 16, width = this.scroller.clientWidth - 2 * gap;
    const perRow = Math.max(2, Math.floor((width + gap) / (196 + gap)));
    const frameHeight = Math.round((width - gap * (perRow - 1)) / perRow * 0.82);
    this.body.style.setProperty("--columns", String(perRow));
    this.body.style.setProperty("--frame-height", `${frameHeight}px`);
    return { perRow, rowHeight: frameHeight + 84 + gap, margin: gap };
  }

  /** @param {number} above
   * @param {number} below */
  place(above, below) {
    this.body.style.paddingTop = `${above + 16}px`;
    this.body.style.paddingBottom = `${below}px`;
  }

  /** @param {Film} film */
  make(film) {
    return element("li", { class: "film-card", onclick: () => this.open(film) },
      filmFrame(film, { tag: "button", attributes: { type: "button" } }),
      element("div", { class: "caption" }));
  }

  /** @param {HTMLElement} card
   * @param {Film} film */
  update(card, film) {
    const scored = prediction(film) !== null;
    card.classList.toggle("hidden-call", isHidden(film));
    card.children[0].setAttribute("aria-label", isHidden(film) ? "Film that is not read yet" : spokenFilm(film));
    card.children[1].replaceChildren(
      probabilityBar(film) ?? element("span", { class: "bar empty" }),
      element("p", { class: "line" },
        scored ? element("b", { class: "prob" }, probabilityText(film, 2)) : null,
        callBadge(film), caveatMark(film)),
      element("p", { class: "line second" },
        scored ? outcomeBadge(film) : element("span", { class: "why" }, shortReason(film)), verdictMark(film)),
      pathLabel(film));
  }

  /** @param {HTMLElement} card
   * @param {number} position */
  number(card, position) {
    card.setAttribute("aria-posinset", String(position + 1));
    card.setAttribute("aria-setsize", String(this.shown.length));
  }
}

const TABLE_LEFT_OUT = new Set(["path", "prediction", "prob_pneumonia", "truth", "threshold", "model", "sha256", "gate",
  "error_message", "status", "largest_region_box_px", "regions"]);

/** @typedef {{name: string, title: string, width: number}} TableColumn  Width in CSS pixels */

/** Whether films differ in a column of their own.
 * @param {string} name */
export function differs(name) {
  return films.some((film) => (cellOf(film, name) ?? "") !== (cellOf(films[0], name) ?? ""));
}

/** The columns of the table: the findings, then every column in which the films differ.
 * @returns {TableColumn[]} */
function tableColumns() {
  return [
    { name: "path", title: "File", width: 320 },
    { name: "prediction", title: "Call", width: 110 },
    { name: "prob_pneumonia", title: "Probability", width: 150 },
    ...(config.labelled ? [{ name: "truth", title: "Label", width: 110 }, { name: "outcome", title: "Outcome", width: 130 }] : []),
    { name: "verdict", title: "You read", width: 110 },
    ...config.columns.filter(({ name }) => !TABLE_LEFT_OUT.has(name) && differs(name))
      .map(({ name, title, kind }) => ({ name, title, width: kind === "text" ? 140 : 104 })),
  ];
}

/** @extends {VirtualList<Film>} */
export class Table extends VirtualList {
  /** @param {HTMLElement} scroller
   * @param {Open} open
   * @param {(name: string) => void} sortBy */
  constructor(scroller, open, sortBy) {
    super(scroller, element("tbody"));
    this.open = open;
    this.columns = tableColumns();
    this.above = element("tr", { "aria-hidden": "true" });
    this.below = element("tr", { "aria-hidden": "true" });
    this.end = this.below;
    this.body.append(this.above, this.below);
    this.heads = this.columns.map((column) => element("th", { scope: "col", title: columnByName.get(column.name)?.meaning },
      element("button", { type: "button", onclick: () => sortBy(column.name) }, column.title)));
    const widths = [72, ...this.columns.map((column) => column.width)];
    const cols = widths.map((width) => {
      const col = element("col");
      col.style.width = `${width}px`;
      return col;
    });
    this.root = element("table", { class: "films", "aria-label": "Films" },
      element("colgroup", {}, ...cols),
      element("thead", {}, element("tr", { "aria-rowindex": "1" }, element("td"), ...this.heads)), this.body);
    this.root.style.minWidth = `${widths.reduce((sum, width) => sum + width)}px`;
  }

  measure() {
    this.root.setAttribute("aria-rowcount", String(this.shown.length + 1));
    this.heads.forEach((head, i) => {
      const sorted = this.columns[i].name === state.sort;
      head.ariaSort = sorted ? (state.descending ? "descending" : "ascending") : "none";
    });
    return { perRow: 1, rowHeight: 60, margin: 37 };
  }

  /** @param {number} above
   * @param {number} below */
  place(above, below) {
    this.above.style.height = `${above}px`;
    this.below.style.height = `${below}px`;
  }

  /** @param {Film} film */
  make(film) {
    return element("tr", { onclick: () => this.open(film) }, element("td", {},
      filmFrame(film, { tag: "button", attributes: { type: "button" } })),
    ...this.columns.map(() => element("td")));
  }

  /** @param {HTMLElement} row
   * @param {Film} film */
  update(row, film) {
    row.classList.toggle("hidden-call", isHidden(film));
    row.querySelector("button")?.setAttribute("aria-label", isHidden(film) ? "Open a film that is not read yet" : `Open ${film.path}`);
    this.columns.forEach((column, i) => row.children[i + 1].replaceChildren(...this.cell(film, column.name)));
  }

  /** @param {Film} film
   * @param {string} name
   * @returns {(Node | string)[]} */
  cell(film, name) {
    const made = {
      path: () => pathLabel(film),
      prediction: () => callBadge(film),
      prob_pneumonia: () => (prediction(film) === null ? element("span", { class: "why" }, shortReason(film))
        : element("span", { class: "prob-cell" }, element("b", {}, probabilityText(film, 3)), probabilityBar(film))),
      outcome: () => outcomeBadge(film),
      verdict: () => verdictMark(film),
      gate_reasons: () => reasonsOf(film).map((reason) => reason.title).join(", "),
    }[name];
    const value = made ? made() : plainText(name, valueOf(film, name, reading));
    return value === null ? [] : [value];
  }

  /** @param {HTMLElement} row
   * @param {number} position */
  number(row, position) {
    row.setAttribute("aria-rowindex", String(position + 2));
  }
}
