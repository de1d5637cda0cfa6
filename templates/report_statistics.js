// The figures of a 2 x 2 table with their 95 % intervals: scanner/metrics in JavaScript, for the moving threshold.
// A test holds every figure equal to Python's.
const Z = 1.959963984540054;

/** Score interval of a proportion (Wilson 1927). */
function wilson(successes, n) {
  if (n === 0) return [0, 1];
  const p = successes / n, square = Z * Z / n;
  const centre = (p + square / 2) / (1 + square);
  const half = Z / (1 + square) * Math.sqrt(p * (1 - p) / n + square / (4 * n));
  return [successes === 0 ? 0 : Math.max(0, centre - half), successes === n ? 1 : Math.min(1, centre + half)];
}

function estimate(value, low = null, high = null) {
  return { value, low, high };
}

const UNDEFINED = estimate(null);

function proportion(successes, n) {
  return n === 0 ? UNDEFINED : estimate(successes / n, ...wilson(successes, n));
}

/** A positive ratio with an interval that is symmetric on the log scale. */
function logEstimate(value, variance) {
  const factor = Math.exp(Z * Math.sqrt(Math.max(variance, 0)));
  return estimate(value, value / factor, value * factor);
}

/** Likelihood ratio with the log interval of Simel, Samsa and Matchar 1991. */
function likelihoodRatio(positives, nPositive, negatives, nNegative) {
  if (!nPositive || !nNegative || !negatives) return UNDEFINED;
  const value = (positives / nPositive) / (negatives / nNegative);
  if (!positives) return estimate(value);
  return logEstimate(value, 1 / positives - 1 / nPositive + 1 / negatives - 1 / nNegative);
}

/** Mean of sensitivity and specificity with the square-and-add interval. */
function balancedAccuracy({ tp, fp, fn, tn }) {
  if (!(tp + fn) || !(tn + fp)) return UNDEFINED;
  const a = tp / (tp + fn), b = tn / (tn + fp);
  const [aLow, aHigh] = wilson(tp, tp + fn), [bLow, bHigh] = wilson(tn, tn + fp);
  const value = (a + b) / 2;
  return estimate(value, value - Math.hypot(a - aLow, b - bLow) / 2, value + Math.hypot(aHigh - a, bHigh - b) / 2);
}

/** F1 from the Jaccard index, whose Wilson interval carries over. */
function f1Score({ tp, fp, fn }) {
  const n = tp + fp + fn;
  if (n === 0) return UNDEFINED;
  return estimate(...[tp / n, ...wilson(tp, n)].map((j) => 2 * j / (1 + j)));
}

/** Matthews correlation with a Fisher-z interval. */
function matthews({ tp, fp, fn, tn }) {
  const n = tp + fp + fn + tn, called = tp + fp, nPositive = tp + fn, nNegative = fp + tn;
  if (!nPositive || !nNegative || called === 0 || called === n) return UNDEFINED;
  const row = nPositive * nNegative / n ** 2, column = called * (n - called) / n ** 2;
  const scale = Math.sqrt(row * column);
  const phi = (tp * tn - fp * fn) / n ** 2 / scale;
  if ((fp === 0 && fn === 0) || (tp === 0 && tn === 0)) return estimate(Math.round(phi));
  const rowDifference = (nPositive - nNegative) / n, columnDifference = (2 * called - n) / n;
  const variance = (1 - phi ** 2 + phi * (1 + phi ** 2 / 2) * rowDifference * columnDifference / scale
    - 0.75 * phi ** 2 * (rowDifference ** 2 / row + columnDifference ** 2 / column)) / n;
  const half = Z * Math.sqrt(Math.max(variance, 0)) / (1 - phi ** 2);
  return estimate(phi, Math.tanh(Math.atanh(phi) - half), Math.tanh(Math.atanh(phi) + half));
}

function diagnosticOddsRatio({ tp, fp, fn, tn }) {
  if (!(tp + fn) || !(fp + tn) || !fp || !fn) return UNDEFINED;
  const value = tp * tn / (fp * fn);
  return value ? logEstimate(value, 1 / tp + 1 / tn + 1 / fp + 1 / fn) : estimate(value);
}

/** Probability of being right from the prior odds and two proportions [successes, n]; MOVER-R interval. */
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

/** Every figure that depends on the threshold; with a prevalence, PPV and NPV hold for that. */
function estimates(table, prevalence = null) {
  const { tp, fp, fn, tn } = table;
  const nPositive = tp + fn, nNegative = fp + tn;
  let ppv = proportion(tp, tp + fp), npv = proportion(tn, tn + fn);
  if (prevalence !== null) {
    const odds = prevalence / (1 - prevalence), both = nPositive && nNegative;
    ppv = both ? posterior(odds, [tp, nPositive], [fp, nNegative]) : UNDEFINED;
    npv = both ? posterior(1 / odds, [tn, nNegative], [fn, nPositive]) : UNDEFINED;
  }
  return {
    sensitivity: proportion(tp, nPositive),
    specificity: proportion(tn, nNegative),
    ppv,
    npv,
    accuracy: proportion(tp + tn, nPositive + nNegative),
    balanced_accuracy: balancedAccuracy(table),
    f1: f1Score(table),
    mcc: matthews(table),
    lr_positive: likelihoodRatio(tp, nPositive, fp, nNegative),
    lr_negative: likelihoodRatio(fn, nPositive, tn, nNegative),
    diagnostic_odds_ratio: diagnosticOddsRatio(table),
  };
}

/** Write a figure as reports/page/view.py does. */
function figureText(value, form) {
  if (value === null) return "–";
  if (form === "share") return `${(100 * value).toFixed(1)} %`;
  if (form === "ratio") return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
  return value.toFixed(3).replace("-", "−");
}

function intervalText({ low, high }, form) {
  if (low === null || high === null) return "";
  return `${figureText(low, form).replace(" %", "")} to ${figureText(high, form)}`;
}
