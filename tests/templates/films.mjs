// A small run, as the page is given it.
/** @import { Config, Film, Verdict } from "../../templates/scripts/types.mjs" */

/** @type {Config} */
export const config = {
  runId: "0",
  root: "/films",
  threshold: 0.5,
  refer: null,
  model: "toy 1.0",
  labelled: true,
  columns: [
    { name: "path", title: "File", kind: "text", decimals: 0, meaning: "" },
    { name: "sha256", title: "SHA-256", kind: "text", decimals: 0, meaning: "" },
    { name: "model", title: "Model", kind: "text", decimals: 0, meaning: "" },
    { name: "prediction", title: "Call", kind: "text", decimals: 0, meaning: "" },
    { name: "prob_pneumonia", title: "Probability", kind: "decimal", decimals: 4, meaning: "" },
    { name: "width_px", title: "Width", kind: "integer", decimals: 0, meaning: "" },
    { name: "manufacturer", title: "Manufacturer", kind: "text", decimals: 0, meaning: "" },
  ],
  classes: { positive: "PNEUMONIA", negative: "NORMAL", referred: "REFER" },
  outcomes: [
    ...["positive", "negative", "referred", "rejected", "failed"].map((key) => ({ key, kind: "call", title: key })),
    ...["tp", "fn", "fp", "tn"].map((key) => ({ key, kind: "truth", title: key })),
    { key: "warned", kind: "gate", title: "Caveat" },
    ...["pneumonia", "no-pneumonia", "unsure"].map((key) => ({ key, kind: "verdict", title: key })),
  ],
  verdicts: { pneumonia: "Pneumonia", "no-pneumonia": "No pneumonia", unsure: "Unsure" },
  agreements: { agree: { PNEUMONIA: "pneumonia", NORMAL: "no-pneumonia" }, disagree: { PNEUMONIA: "no-pneumonia", NORMAL: "pneumonia" } },
  verdictColumns: ["path", "sha256", "prediction", "model", "verdict", "comment", "reader", "reviewed_at", "blind"],
  heatStops: [],
  reasons: {},
  errors: {},
  metrics: [],
  figures: [],
  block: 50,
  row: [],
};

/** @type {(path: string, prob: number | null, more?: Record<string, any>) => Film} */
export function film(path, prob, more = {}) {
  return { index: 0, path, status: prob === null ? "failed" : "scored", prob_pneumonia: prob, ...more };
}

/** @type {(verdicts?: Record<string, Verdict>) => (film: Film) => Verdict | undefined} */
export function sheet(verdicts = {}) {
  return ({ path }) => verdicts[path];
}
