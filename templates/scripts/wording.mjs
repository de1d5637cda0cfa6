// Figures and numbers as text, digit by digit as reports/wording.py writes them.
/** @import { Form } from "./types.mjs" */

/** A figure; "–" where it is undefined.
 * @param {number | null} value
 * @param {Form} form */
export function figureText(value, form) {
  if (value === null) return "\u2013";
  if (form === "share") return `${(100 * value).toFixed(1)} %`.replace("-", "\u2212");
  if (form === "ratio") return value >= 100 ? value.toFixed(0) : significant(value, 3);
  return value.toFixed(3).replace("-", "\u2212");
}

/** So many significant digits, without zeros at the end.
 * @param {number} value  Not negative
 * @param {number} digits */
export function significant(value, digits) {
  if (value === 0) return "0";
  const exponent = Number(value.toExponential(20).split("e")[1]);
  const text = value.toFixed(Math.max(0, digits - 1 - exponent));
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** A 95 % interval in the form of its figure, without unit; empty without one.
 * @param {{low: number | null, high: number | null}} bounds
 * @param {Form} form */
export function intervalText({ low, high }, form) {
  if (low === null || high === null) return "";
  const [from, to] = [low, high].map((bound) => figureText(bound, form).replace(" %", ""));
  return low < 0 ? `${from} to ${to}` : `${from}\u2013${to}`; // a dash beside a minus sign would be read as one
}

/** A threshold with two to four digits.
 * @param {number} value */
export function thresholdText(value) {
  return value.toFixed(4).replace(/00$/, "");
}

/** A film's probability; never as the 0 or 1 that it is not.
 * @param {number} prob
 * @param {number} digits */
export function probText(prob, digits = 2) {
  const text = prob.toFixed(digits), step = 10 ** -digits;
  if (Number(text) === 0) return `< ${step.toFixed(digits)}`;
  return Number(text) === 1 ? `> ${(1 - step).toFixed(digits)}` : text;
}

/** A film's probability in percent; never as the 0 or 100 that it is not.
 * @param {number} prob
 * @param {number} digits */
export function percentText(prob, digits = 0) {
  const text = (100 * prob).toFixed(digits), step = 10 ** -digits;
  if (Number(text) === 0) return `< ${step.toFixed(digits)} %`;
  return Number(text) === 100 ? `> ${(100 - step).toFixed(digits)} %` : `${text} %`;
}

/** How a film's call follows from its probability, with as many digits as the difference needs.
 * @param {number} prob
 * @param {string} called
 * @param {number} threshold
 * @param {Pick<import("./types.mjs").Config, "classes" | "refer">} config */
export function callSentence(prob, called, threshold, { classes, refer }) {
  const said = "Probability of pneumonia";
  if (called === classes.referred && refer !== null) {
    const [low, high] = refer.map((bound) => (100 * bound).toFixed(0));
    return `${said} ${percentText(prob)} · from ${low} to ${high} % a reader is to read the film`;
  }
  const limit = (/** @type {number} */ digits) => `${(100 * threshold).toFixed(digits)} %`;
  const digits = [0, 1, 2].find((d) => percentText(prob, d) !== limit(d)) ?? 3;
  const side = called === classes.positive ? "at or above" : "below";
  return `${said} ${percentText(prob, digits)} · ${side} the threshold of ${limit(digits)} → called ${called}`;
}

/** A change of a probability, with its sign.
 * @param {number} change */
export function changeText(change) {
  const text = Math.abs(change).toFixed(2);
  return `${Number(text) === 0 ? "\u00b1" : change < 0 ? "\u2212" : "+"}${text}`;
}

/** A count with its noun.
 * @param {number} n
 * @param {string} one */
export function counted(n, one) {
  return `${countText(n)} ${one}${n === 1 ? "" : "s"}`;
}

/** A count with its thousands apart.
 * @param {number} n */
export function countText(n) {
  return n.toLocaleString("en");
}
