// The large view of one film: the film alone and with its heat map, what was found, and the reader's verdict.

class Viewer {
  constructor(onVerdict) {
    this.onVerdict = onVerdict;
    this.dialog = element("dialog", { class: "viewer", "aria-labelledby": "viewer-title" });
    this.dialog.addEventListener("keydown", (event) => this.onKey(event));
    this.dialog.addEventListener("click", (event) => { if (event.target === this.dialog) this.dialog.close(); });
    this.dialog.addEventListener("close", () => this.commit());
    document.body.append(this.dialog);
  }

  /** Open a film; ← and → go through the selection as it is now. */
  open(film, selection) {
    this.selection = selection;
    this.position = selection.indexOf(film);
    this.dialog.showModal();
    this.build();
  }

  step(by) {
    this.commit();
    const to = Math.min(this.selection.length - 1, Math.max(0, this.position + by));
    if (to === this.position) return;
    this.position = to;
    this.build();
  }

  get film() {
    return this.selection[this.position];
  }

  onKey(event) {
    if (event.target.matches("textarea, input[type=text]") || event.ctrlKey || event.metaKey || event.altKey) return;
    const verdict = { a: "agree", d: "disagree", u: "unsure" }[event.key];
    if (event.key === "ArrowLeft" || event.key === "ArrowRight") this.step(event.key === "ArrowLeft" ? -1 : 1);
    else if (event.key === "Home" || event.key === "End") this.step(event.key === "Home" ? -Infinity : Infinity);
    else if (verdict) this.judge(verdict);
    else if (event.key === "h") document.getElementById("heat-on").click();
    else return;
    event.preventDefault();
  }

  build() {
    const film = this.film, focused = document.activeElement?.dataset?.key;
    const button = (key, label, name, by) => element("button", {
      type: "button", class: "icon", "data-key": key, "aria-label": name, title: name,
      disabled: this.position + by < 0 || this.position + by >= this.selection.length, onclick: () => this.step(by),
    }, label);
    this.dialog.replaceChildren(
      element("header", {},
        button("back", "\u2190", "Previous film (left arrow)", -1), button("on", "\u2192", "Next film (right arrow)", 1),
        element("span", { class: "small" }, `${(this.position + 1).toLocaleString("en")} of ${this.selection.length.toLocaleString("en")}`),
        element("h3", { id: "viewer-title" }, pathLabel(film)),
        element("button", { type: "button", class: "icon", "aria-label": "Close", title: "Close (Esc)", onclick: () => this.dialog.close() }, "\u2715")),
      element("div", { class: "viewer-body" },
        element("div", { class: `viewer-films${film.heat ? "" : " single"}` },
          this.figure(film, false, "Film"), film.heat ? this.figure(film, true, "With heat map") : null,
          film.heat ? element("p", { class: "small viewer-note" }, "Preview at reduced size. The heat map points to a region of a 7 × 7 grid; it outlines no lesion.") : null),
        element("div", { class: "viewer-side" }, this.result(film), this.verdictForm(film), this.details(film))));
    const again = [focused, "on", "back"].map((key) => this.dialog.querySelector(`[data-key="${key}"]:not(:disabled)`));
    again.find(Boolean)?.focus();
  }

  figure(film, heat, caption) {
    return element("figure", {}, filmFrame(film, { heat, attributes: { role: "img", "aria-label": `${caption}: ${film.path}` } }),
      element("figcaption", {}, caption, heat ? legend() : null));
  }

  result(film) {
    const scored = prediction(film) !== null;
    const reasons = film.status === "failed"
      ? [element("p", {}, film.error_message), element("p", { class: "muted" }, config.errors[film.error_code]?.hint)]
      : reasonsOf(film).map((reason) => element("p", { class: "caveat-text" }, reason.text));
    return element("div", { class: "result" },
      element("p", { class: "line" }, scored ? element("b", { class: "prob" }, film.prob_pneumonia.toFixed(3)) : null, callBadge(film)),
      scored ? probabilityBar(film) : null,
      scored ? element("p", { class: "small" }, `probability of pneumonia; threshold ${thresholdText(state.threshold)}${exploring() ? ` (explored; the run used ${thresholdText(config.threshold)})` : ""}`) : null,
      film.truth ? element("p", { class: "line" }, `Truth: ${film.truth}`, outcomeBadge(film)) : null,
      ...reasons);
  }

  verdictForm(film) {
    const verdict = verdictOf(film);
    const choice = ([key, label]) => element("button", {
      type: "button", "data-key": key, "aria-pressed": String(verdict?.verdict === key),
      title: `${label} (${key[0]})`, onclick: () => this.judge(key),
    }, label);
    this.comment = element("textarea", { rows: "2", value: verdict?.comment ?? "", "aria-label": "Comment", placeholder: "Comment", onchange: () => this.commit() });
    return element("fieldset", { class: "verdict-form" }, element("legend", {}, "Your reading"),
      element("div", { class: "segment" }, ...[...VERDICTS].map(choice)), this.comment,
      sheetKept ? null : element("p", { class: "small" }, "This browser keeps nothing for local files: export the verdicts before you close the page."));
  }

  judge(key) {
    const same = verdictOf(this.film)?.verdict === key;
    setVerdict(this.film, { verdict: same ? "" : key, comment: this.comment.value });
    this.build();
    this.onVerdict();
  }

  /** Keep a comment that was typed. */
  commit() {
    if (this.comment.value === (verdictOf(this.film)?.comment ?? "")) return;
    setVerdict(this.film, { comment: this.comment.value });
    this.onVerdict();
  }

  details(film) {
    const left = new Set(["path", "prediction", "prob_pneumonia", "threshold", "truth", "gate_reasons", "error_message"]);
    return element("dl", { class: "details" }, ...config.columns
      .filter(({ name }) => !left.has(name) && plainText(name, valueOf(film, name)) !== "")
      .map(({ name, title }) => element("div", {}, element("dt", {}, title), element("dd", { dir: "auto" }, plainText(name, valueOf(film, name))))));
  }
}

/** The heat map's colour scale, on the film's black. */
function legend() {
  const copy = document.getElementById("legend").cloneNode(true);
  copy.removeAttribute("id");
  return copy;
}
