// Reads tables as JSON from standard input and writes what the page makes of them: figures, and texts of numbers.
import { estimates } from "../../templates/scripts/statistics.mjs";
import { callSentence, figureText, intervalText, percentText, probText, thresholdText } from "../../templates/scripts/wording.mjs";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const { figures, forms, tables, numbers, calls } = JSON.parse(Buffer.concat(chunks).toString("utf8"));

console.log(JSON.stringify({
  tables: tables.map(({ counts, prevalence }) => Object.entries(estimates(figures, counts, prevalence))
    .map(([key, found]) => [key, { ...found, text: figureText(found.value, forms[key]), interval: intervalText(found, forms[key]) }])
    .map(([key, found]) => ({ key, ...found }))),
  numbers: numbers.map((value) => ({
    share: figureText(value, "share"), score: figureText(value, "score"), ratio: figureText(value, "ratio"), plain: figureText(-value, "plain"),
    threshold: thresholdText(value),
  })),
  calls: calls.map(({ prob, called, threshold, config }) => [
    callSentence(prob, called, threshold, config), probText(prob, 2), probText(prob, 3), percentText(prob, 0), percentText(prob, 1),
  ]),
}));
