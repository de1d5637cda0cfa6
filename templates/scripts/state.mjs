// What the reader has chosen: one object, mirrored in the address's fragment.
/** @import { Film, Reading, State } from "./types.mjs" */
import { callOf, outcomeOf } from "./calls.mjs";
import { config } from "./data.mjs";
import { readFragment, startState, writeFragment } from "./fragment.mjs";
import { verdictOf } from "./verdicts.mjs";

export const START = startState(config.threshold);
/** @type {State} */
export const state = structuredClone(START);
/** @type {Reading} */
export const reading = { config, state, verdictOf };

/** What the film is called at the chosen threshold; null without a score.
 * @param {Film} film */
export function prediction(film) {
  return callOf(film, state.threshold, config);
}

/** tp, fp, fn or tn at the chosen threshold; null without a call or a label.
 * @param {Film} film */
export function truthOutcome(film) {
  return outcomeOf(film, state.threshold, config);
}

/** Whether a film is to be read before its call, label and heat map are shown.
 * @param {Film} film */
export function isHidden(film) {
  return state.blind && !verdictOf(film)?.verdict;
}

/** Whether the threshold is another than the run's. */
export function exploring() {
  return state.threshold !== config.threshold;
}

/** Take over what an address says.
 * @param {string} hash */
export function readAddress(hash) {
  Object.assign(state, readFragment(hash, config));
}

let timer = 0;

/** Browsers refuse more than a few changes of the address per second, so wait until the reader's hand rests. */
export function rememberState() {
  clearTimeout(timer);
  timer = setTimeout(writeAddress, 250);
}

/** Write what is chosen into the address, in place of what stood there. */
export function writeAddress() {
  clearTimeout(timer);
  history.replaceState(history.state, "", `#${writeFragment(state, START)}`);
}
