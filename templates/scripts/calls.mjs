// What a film is called at a threshold, as scanner/decision.py decides it.
/** @import { Config, Film } from "./types.mjs" */

/** Whether a probability lies in the band that a person is to read, whatever the threshold.
 * @param {number | null} prob
 * @param {Pick<Config, "refer">} config */
export function isReferred(prob, { refer }) {
  return refer !== null && prob !== null && refer[0] <= prob && prob <= refer[1];
}

/** The call, by the names of its class; null without a score.
 * @param {Film} film
 * @param {number} threshold
 * @param {Pick<Config, "refer" | "classes">} config */
export function callOf(film, threshold, config) {
  return callOfProb(film.status === "scored" ? film.prob_pneumonia : null, threshold, config);
}

/** What a probability, of a film or of a study, is called; null without one.
 * @param {number | null} prob
 * @param {number} threshold
 * @param {Pick<Config, "refer" | "classes">} config */
export function callOfProb(prob, threshold, config) {
  if (prob === null) return null;
  if (isReferred(prob, config)) return config.classes.referred;
  return prob >= threshold ? config.classes.positive : config.classes.negative;
}

/** tp, fp, fn or tn; null without a call or a label.
 * @param {Film} film
 * @param {number} threshold
 * @param {Pick<Config, "refer" | "classes">} config */
export function outcomeOf(film, threshold, config) {
  const called = callOf(film, threshold, config);
  if (called === null || called === config.classes.referred || !film.truth) return null;
  return (film.truth === called ? "t" : "f") + (called === config.classes.positive ? "p" : "n");
}
