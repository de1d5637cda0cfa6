// The figures of a 2 x 2 table with their 95 % intervals, for the moving threshold. Which figures there are, and of which
// counts, the page is told; how each family is computed stands here and in scanner/metrics/confusion.py.
/** @import { Counts, Estimate, Figure, Share } from "./types.mjs" */

const Z = 1.959963984540054;

/** Score interval of a proportion (Wilson 1927).
 * @param {number} successes
 * @param {number} n
 * @returns {[number, number]} */
export function wilson(successes, n) {
  if (n === 0) return [0, 1];
  const p = successes / n, square = Z * Z / n;
  const centre = (p + square / 2) / (1 + square);
  const half = Z / (1 + square) * Math.sqrt(p * (1 - p) / n + square / (4 * n));
  return [successes === 0 ? 0 : Math.max(0, centre - half), successes === n ? 1 : Math.min(1, centre + half)];
}

/** @type {(value: number | null, low?: number | null, high?: number | null) => Estimate} */
const estimate = (value, low = null, high = null) => ({ value, low, high });

const UNDEFINED = estimate(null);

/** A share as [successes, trials].
 * @param {Share} share
 * @param {Counts} counts
 * @returns {[number, number]} */
function counted({ of, among }, counts) {
  const sum = (/** @type {(keyof Counts)[]} */ cells) => cells.reduce((total, cell) => total + counts[cell], 0);
  return [sum(of), sum(among)];
}

/** A positive ratio with an interval that is symmetric on the log scale.
 * @param {number} value
 * @param {number} variance  Of its logarithm */
function logEstimate(value, variance) {
  const factor = Math.exp(Z * Math.sqrt(Math.max(variance, 0)));
  return estimate(value, value / factor, value * factor);
}

/** Family of figures -> its value and interval, from shares as [successes, trials] of which none is empty.
 * @type {Record<string, (shares: [number, number][], counts: Counts) => Estimate>} */
const FAMILIES = {
  proportion: ([[k, n]]) => estimate(k / n, ...wilson(k, n)),

  /** Square-and-add interval (Newcombe 1998; Zou and Donner 2008). */
  mean(shares) {
    const values = shares.map(([k, n]) => k / n), bounds = shares.map(([k, n]) => wilson(k, n));
    const value = values.reduce((sum, one) => sum + one, 0) / shares.length;
    const below = Math.hypot(...values.map((one, i) => one - bounds[i][0])) / shares.length;
    const above = Math.hypot(...values.map((one, i) => bounds[i][1] - one)) / shares.length;
    return estimate(value, value - below, value + above);
  },

  /** 2J / (1 + J) of the Jaccard index J, whose Wilson interval carries over. */
  dice: ([[k, n]]) => estimate(...rising((j) => 2 * j / (1 + j), [k / n, ...wilson(k, n)])),

  /** Log interval of Simel, Samsa and Matchar 1991. */
  ratio([[k, n], [l, m]]) {
    if (l === 0) return UNDEFINED;
    const value = (k / n) / (l / m);
    return k === 0 ? estimate(value) : logEstimate(value, 1 / k - 1 / n + 1 / l - 1 / m);
  },

  /** Log interval of Woolf 1955. */
  odds_ratio([[k, n], [l, m]]) {
    if (k === n || l === 0) return UNDEFINED;
    const value = k * (m - l) / (l * (n - k));
    return value === 0 ? estimate(value) : logEstimate(value, 1 / k + 1 / (m - l) + 1 / l + 1 / (n - k));
  },

  /** Correlation of label and call with a Fisher-z interval (Bishop, Fienberg and Holland 1975, section 11.2). */
  correlation(_shares, { tp, fp, fn, tn }) {
    const n = tp + fp + fn + tn, called = tp + fp, nPositive = tp + fn, nNegative = fp + tn;
    const row = nPositive * nNegative / n ** 2, column = called * (n - called) / n ** 2;
    const scale = Math.sqrt(row * column);
    const phi = (tp * tn - fp * fn) / n ** 2 / scale;
    if ((fp === 0 && fn === 0) || (tp === 0 && tn === 0)) return estimate(Math.round(phi));
    const rowDifference = (nPositive - nNegative) / n, columnDifference = (2 * called - n) / n;
    const variance = (1 - phi ** 2 + phi * (1 + phi ** 2 / 2) * rowDifference * columnDifference / scale
      - 0.75 * phi ** 2 * (rowDifference ** 2 / row + columnDifference ** 2 / column)) / n;
    const half = Z * Math.sqrt(Math.max(variance, 0)) / (1 - phi ** 2);
    return estimate(phi, Math.tanh(Math.atanh(phi) - half), Math.tanh(Math.atanh(phi) + half));
  },
};

/** A value and its bounds, carried through a rising function.
 * @param {(x: number) => number} f
 * @param {[number, number, number]} values
 * @returns {[number, number, number]} */
function rising(f, [value, low, high]) {
  return [f(value), f(low), f(high)];
}

/** One figure; undefined where a share counts among no films.
 * @param {Figure} figure
 * @param {Counts} counts
 * @returns {Estimate} */
export function estimateOf({ family, shares }, counts) {
  const pairs = shares.map((share) => counted(share, counts));
  return pairs.every(([, n]) => n > 0) ? FAMILIES[family](pairs, counts) : UNDEFINED;
}

/** Every figure by its key; with a prevalence, PPV and NPV hold for that.
 * @param {Figure[]} figures
 * @param {Counts} counts
 * @param {number | null} prevalence
 * @returns {Record<string, Estimate>} */
export function estimates(figures, counts, prevalence = null) {
  const found = Object.fromEntries(figures.map((figure) => [figure.key, estimateOf(figure, counts)]));
  return prevalence === null ? found : { ...found, ...predictiveValuesAt(counts, prevalence) };
}

/** PPV and NPV where another share of the films shows pneumonia, from sensitivity and specificity.
 * @param {Counts} counts
 * @param {number} prevalence  Strictly between 0 and 1 */
export function predictiveValuesAt({ tp, fp, fn, tn }, prevalence) {
  const odds = prevalence / (1 - prevalence), nPositive = tp + fn, nNegative = fp + tn;
  if (!nPositive || !nNegative) return { ppv: UNDEFINED, npv: UNDEFINED };
  return {
    ppv: posterior(odds, [tp, nPositive], [fp, nNegative]),
    npv: posterior(1 / odds, [tn, nNegative], [fn, nPositive]),
  };
}

/** Probability of being right from the prior odds and two proportions [successes, n]; MOVER-R interval.
 * @param {number} odds
 * @param {[number, number]} right
 * @param {[number, number]} wrong */
function posterior(odds, right, wrong) {
  const p = right[0] / right[1], q = wrong[0] / wrong[1];
  if (p === 0 && q === 0) return UNDEFINED;
  const [pLow, pHigh] = wilson(...right), [qLow, qHigh] = wilson(...wrong);
  const pBelow = pLow * (2 * p - pLow), pAbove = pHigh * (2 * p - pHigh);
  const qBelow = qLow * (2 * q - qLow), qAbove = qHigh * (2 * q - qHigh);
  const low = pBelow ? pBelow / (p * q + Math.sqrt(Math.max(0, (p * q) ** 2 - pBelow * qAbove))) : 0;
  const high = qBelow ? (p * q + Math.sqrt(Math.max(0, (p * q) ** 2 - pAbove * qBelow))) / qBelow : Infinity;
  return estimate(odds * p / (odds * p + q), odds * low / (1 + odds * low),
    high === Infinity ? 1 : odds * high / (1 + odds * high));
}

/** How many of the sorted values reach a threshold.
 * @param {ArrayLike<number>} values  Rising
 * @param {number} threshold */
export function atOrAbove(values, threshold) {
  let low = 0, high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] >= threshold) high = middle;
    else low = middle + 1;
  }
  return values.length - low;
}
