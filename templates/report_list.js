// The list of films, as gallery or table: only what is in view exists as elements, so that ten thousand scroll like ten.

const CALL_WORDS = { failed: "Failed", rejected: "Rejected" };

/** The film's picture with its heat map, fitted into a frame. */
function filmFrame(film, { tag = "span", heat = true, attributes = {} } = {}) {
  const frame = element(tag, { class: "frame", ...attributes });
  const address = imageAddress(film);
  if (address === null) {
    frame.append(element("span", { class: "none" }, CALL_WORDS[film.status] ?? "No picture"));
    return frame;
  }
  const holder = element("span", { class: "film" });
  const picture = element("img", { alt: "", decoding: "async", draggable: "false" });
  picture.addEventListener("load", () => {
    holder.style.setProperty("--aspect", picture.naturalWidth / picture.naturalHeight);
  });
  picture.src = address;
  holder.append(picture);
  const canvas = heat ? heatCanvas(film) : null;
  if (canvas) holder.append(canvas);
  frame.append(holder);
  return frame;
}

/** PNEUMONIA, NORMAL, Rejected or Failed, coloured. */
function callBadge(film) {
  const called = prediction(film);
  return element("span", { class: `badge ${(called ?? film.status).toLowerCase()}` }, called ?? CALL_WORDS[film.status]);
}

/** True or false positive or negative; null without a truth. */
function outcomeBadge(film) {
  const outcome = truthOutcome(film);
  return outcome && element("span", { class: `outcome ${outcome}` }, OUTCOMES.get(outcome)[1]);
}

function caveatMark(film) {
  if (film.status !== "scored" || film.gate !== "warn") return null;
  const titles = reasonsOf(film).map((reason) => reason.title).join(", ");
  return element("span", { class: "caveat", title: titles, role: "img", "aria-label": `Caveat: ${titles}` }, "\u26a0\ufe0e");
}

function verdictMark(film) {
  const verdict = verdictOf(film);
  if (!verdict) return null;
  const label = VERDICTS.get(verdict.verdict) ?? "Comment";
  return element("span", { class: `verdict ${verdict.verdict}`, title: verdict.comment || null }, label);
}

/** The gate's reasons on a film: {title, text}. */
function reasonsOf(film) {
  return (film.gate_reasons || "").split(" ").filter(Boolean)
    .map((code) => config.reasons[code] ?? { title: code, text: code });
}

/** Why a file has no score, in a few words. */
function shortReason(film) {
  if (film.status === "failed") return config.errors[film.error_code]?.title ?? film.error_code;
  return reasonsOf(film).map((reason) => reason.title).join(", ");
}

function probabilityBar(film) {
  if (film.prob_pneumonia === null) return null;
  const bar = element("span", { class: `bar ${prediction(film).toLowerCase()}`, "aria-hidden": "true" }, element("i"), element("b"));
  bar.style.setProperty("--prob", film.prob_pneumonia);
  bar.style.setProperty("--threshold", state.threshold);
  return bar;
}

/** Folder and name, the name never cut. */
function pathLabel(film) {
  const cut = film.path.lastIndexOf("/") + 1;
  return element("bdi", { class: "path", title: film.path },
    cut ? element("span", { class: "folder" }, film.path.slice(0, cut)) : null,
    element("span", { class: "base" }, film.path.slice(cut)));
}

function spokenFilm(film) {
  const outcome = truthOutcome(film);
  const said = prediction(film) === null ? `${CALL_WORDS[film.status]}: ${shortReason(film)}`
    : `${prediction(film)}, probability ${film.prob_pneumonia.toFixed(2)}${outcome ? `, ${OUTCOMES.get(outcome)[1]}` : ""}`;
  return `${film.path}: ${said}`;
}

/** What both lists share: rows of equal height, of which those in view are filled. */
class VirtualList {
  constructor(scroller, body) {
    this.scroller = scroller;
    this.body = body;
    this.shown = [];
    this.items = new Map();
  }

  show(selection) {
    this.shown = selection;
    this.draw();
  }

  /** Bring texts up to date after the threshold or a verdict has changed. */
  refresh() {
    this.items.forEach((item, film) => this.update(item, film));
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

  fill(from, to) {
    const wanted = new Set(this.shown.slice(from, to));
    for (const [film, item] of this.items) {
      if (!wanted.has(film)) {
        item.remove();
        this.items.delete(film);
      }
    }
    let next = this.end ?? null;
    for (let position = to - 1; position >= from; position--) {
      const film = this.shown[position];
      let item = this.items.get(film);
      if (!item) {
        item = this.make(film);
        this.update(item, film);
        this.items.set(film, item);
      }
      this.number(item, position);
      if (item.parentNode !== this.body || item.nextSibling !== next) this.body.insertBefore(item, next);
      next = item;
    }
  }

  clear() {
    this.items.forEach((item) => item.remove());
    this.items.clear();
  }
}

class Gallery extends VirtualList {
  constructor(scroller, open) {
    super(scroller, element("ul", { class: "gallery" }));
    this.open = open;
    this.root = element("div", { class: "gallery-space" }, this.body);
  }

  measure() {
    const gap = 16, width = this.scroller.clientWidth - 2 * gap;
    const perRow = Math.max(2, Math.floor((width + gap) / (196 + gap)));
    const frameHeight = Math.round((width - gap * (perRow - 1)) / perRow * 0.82);
    this.body.style.setProperty("--columns", perRow);
    this.body.style.setProperty("--frame-height", `${frameHeight}px`);
    return { perRow, rowHeight: frameHeight + 84 + gap, margin: gap };
  }

  place(above, below) {
    this.body.style.paddingTop = `${above + 16}px`;
    this.body.style.paddingBottom = `${below}px`;
  }

  make(film) {
    return element("li", { class: "film-card" },
      filmFrame(film, { tag: "button", attributes: { type: "button", onclick: () => this.open(film) } }),
      element("div", { class: "caption" }));
  }

  update(card, film) {
    const scored = prediction(film) !== null;
    card.firstChild.setAttribute("aria-label", spokenFilm(film));
    card.lastChild.replaceChildren(
      probabilityBar(film) ?? element("span", { class: "bar empty" }),
      element("p", { class: "line" },
        scored ? element("b", { class: "prob" }, film.prob_pneumonia.toFixed(2)) : null,
        callBadge(film), caveatMark(film)),
      element("p", { class: "line second" },
        scored ? outcomeBadge(film) : element("span", { class: "why" }, shortReason(film)), verdictMark(film)),
      pathLabel(film));
  }

  number(card, position) {
    card.setAttribute("aria-posinset", position + 1);
    card.setAttribute("aria-setsize", this.shown.length);
  }
}

const TABLE_LEFT_OUT = new Set(["path", "prediction", "prob_pneumonia", "truth", "threshold", "model", "sha256", "gate",
  "error_message", "status"]);

/** The columns of the table: the findings, then every column in which the films differ. */
function tableColumns() {
  const differs = (name) => films.some((film) => (film[name] ?? "") !== (films[0][name] ?? ""));
  return [
    { name: "path", title: "File", width: 320 },
    { name: "prediction", title: "Call", width: 110 },
    { name: "prob_pneumonia", title: "Probability", width: 150 },
    ...(config.labelled ? [{ name: "truth", title: "Truth", width: 110 }, { name: "outcome", title: "Outcome", width: 130 }] : []),
    { name: "verdict", title: "Verdict", width: 100 },
    ...config.columns.filter(({ name }) => !TABLE_LEFT_OUT.has(name) && differs(name))
      .map((column) => ({ ...column, width: column.kind === "text" ? 140 : 104 })),
  ];
}

class Table extends VirtualList {
  constructor(scroller, open, sortBy) {
    super(scroller, element("tbody"));
    this.open = open;
    this.columns = tableColumns();
    this.above = element("tr", { "aria-hidden": "true" });
    this.end = element("tr", { "aria-hidden": "true" });
    this.body.append(this.above, this.end);
    this.heads = this.columns.map((column) => element("th", { scope: "col", title: columnByName.get(column.name)?.meaning },
      element("button", { type: "button", onclick: () => sortBy(column.name) }, column.title)));
    this.root = element("table", { class: "films", "aria-label": "Films" },
      element("colgroup", {}, element("col"), ...this.columns.map(() => element("col"))),
      element("thead", {}, element("tr", { "aria-rowindex": "1" }, element("td"), ...this.heads)), this.body);
    const widths = [72, ...this.columns.map((column) => column.width)];
    this.root.querySelectorAll("col").forEach((col, i) => { col.style.width = `${widths[i]}px`; });
    this.root.style.minWidth = `${widths.reduce((sum, width) => sum + width)}px`;
  }

  measure() {
    this.root.setAttribute("aria-rowcount", this.shown.length + 1);
    this.heads.forEach((head, i) => {
      const sorted = this.columns[i].name === state.sort;
      head.ariaSort = sorted ? (state.descending ? "descending" : "ascending") : "none";
    });
    return { perRow: 1, rowHeight: 60, margin: 37 };
  }

  place(above, below) {
    this.above.style.height = `${above}px`;
    this.end.style.height = `${below}px`;
  }

  make(film) {
    return element("tr", {}, element("td", {},
      filmFrame(film, { tag: "button", attributes: { type: "button", onclick: () => this.open(film) } })),
    ...this.columns.map(() => element("td")));
  }

  update(row, film) {
    row.querySelector("button").setAttribute("aria-label", `Open ${film.path}`);
    this.columns.forEach((column, i) => row.children[i + 1].replaceChildren(...this.cell(film, column)));
  }

  cell(film, { name }) {
    const made = {
      path: () => pathLabel(film),
      prediction: () => callBadge(film),
      prob_pneumonia: () => (film.prob_pneumonia === null ? element("span", { class: "why" }, shortReason(film))
        : element("span", { class: "prob-cell" }, element("b", {}, film.prob_pneumonia.toFixed(3)), probabilityBar(film))),
      outcome: () => outcomeBadge(film),
      verdict: () => verdictMark(film),
      gate_reasons: () => reasonsOf(film).map((reason) => reason.title).join(", "),
    }[name];
    const value = made ? made() : plainText(name, valueOf(film, name));
    return value === null ? [] : [value];
  }

  number(row, position) {
    row.setAttribute("aria-rowindex", position + 2);
  }
}

/** A value as people read it. */
function plainText(name, value) {
  if (value === null || value === undefined) return "";
  const column = columnByName.get(name);
  if (column.kind === "integer") return value.toLocaleString("en");
  return column.kind === "decimal" ? value.toFixed(column.decimals) : String(value);
}
