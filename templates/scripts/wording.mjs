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
