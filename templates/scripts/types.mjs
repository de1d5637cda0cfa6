// The shapes of what the page is given and of what its modules pass to each other; nothing here runs.

/** A 95 % interval around a figure; null is "not defined".
 * @typedef {{value: number | null, low: number | null, high: number | null}} Estimate */

/** The four counts of films by label and call.
 * @typedef {{tp: number, fp: number, fn: number, tn: number}} Counts */

/** A share of films: the cells counted, and the cells that they are counted among.
 * @typedef {{of: (keyof Counts)[], among: (keyof Counts)[]}} Share */

/** A figure of the 2 x 2 table, as scanner/metrics/confusion.py hands it over.
 * @typedef {{key: string, family: string, shares: Share[]}} Figure */

/** How a figure is written, as reports/wording.py defines it.
 * @typedef {"share" | "score" | "ratio" | "plain"} Form */

/** A column of results.csv.
 * @typedef {{name: string, title: string, kind: "text" | "integer" | "decimal" | "json", decimals: number, meaning: string}} Column */

/** Something that a reader can filter by. `kind` is call, truth, gate or verdict.
 * @typedef {{key: string, kind: string, title: string}} Outcome */

/** Names of the calls.
 * @typedef {{positive: string, negative: string, referred: string}} Classes */

/** What the page is given besides the films, written by reports/page.
 * @typedef {object} Config
 * @property {string} runId
 * @property {number} threshold
 * @property {[number, number] | null} refer  Lowest and highest probability that a person is to read
 * @property {string} model
 * @property {boolean} labelled
 * @property {Column[]} columns
 * @property {Classes} classes
 * @property {Outcome[]} outcomes
 * @property {Record<string, string>} verdicts  Verdict -> what it is called
 * @property {Record<string, Record<string, string>>} agreements  Verdict of an older sheet -> call -> verdict
 * @property {string[]} verdictColumns
 * @property {[number, number, number, number][]} heatStops  Red, green, blue and opacity at even steps
 * @property {Record<string, {title: string, text: string, outside?: boolean}>} reasons  Gate reasons
 * @property {Record<string, {title: string, hint: string}>} errors
 * @property {{key: string, form: Form}[]} metrics
 * @property {Figure[]} figures
 * @property {number} block  Films per block of JSON
 * @property {string[]} row  Names of a row's values
 * @property {{row: string[], rows: any[][]}} [studies]  Where films are grouped */

/** A part of a film in which the heat lies; places in pixels of the upright film.
 * @typedef {object} Region
 * @property {"right" | "left" | ""} side
 * @property {"upper" | "mid" | "lower" | ""} zone
 * @property {[number, number, number, number]} box_px  Left, top, width and height
 * @property {[number, number][]} polygon_px
 * @property {[number, number]} hottest_px
 * @property {number} share_of_heat
 * @property {number} strength
 * @property {[number, number] | null} size_mm
 * @property {boolean} mirrored  Whether the film seems mirrored */

/** A cell of the table.
 * @typedef {string | number | Region[] | null | undefined} Cell */

/** One film. Its other columns are reached by name, through valueOf.
 * @typedef {object} Film
 * @property {number} index
 * @property {string} path
 * @property {"scored" | "rejected" | "failed"} status
 * @property {number | null} prob_pneumonia
 * @property {string | null} [truth]
 * @property {string | null} [gate]
 * @property {string | null} [gate_reasons]
 * @property {string | null} [error_code]
 * @property {string | null} [error_message]
 * @property {number | null} [width_px]
 * @property {number | null} [height_px]
 * @property {Region[] | null} [regions]
 * @property {string} [heat]  Levels of the heat map, base64
 * @property {string | number} [image]  1 for embedded, a path, or 0
 * @property {number} [slot]  Place of an embedded picture in its block
 * @property {string} [searchText] */

/** Films that belong together.
 * @typedef {object} Study
 * @property {string} name
 * @property {string} patient  Empty where nothing says whose it is
 * @property {number} number  Among the patient's studies, from 1
 * @property {number} ofPatient
 * @property {"time" | "name" | ""} orderedBy
 * @property {string} acquired
 * @property {number | null} prob_pneumonia
 * @property {string | null} truth
 * @property {number | null} change  Of the probability since the patient's last scored study
 * @property {boolean | null} beyond  Whether that is more than versions of one film show
 * @property {number[]} films  Their places among the run's films */

/** A reader's verdict on a film.
 * @typedef {object} Verdict
 * @property {string} verdict  Key of Config.verdicts, or empty for a comment alone
 * @property {string} comment
 * @property {string} reader
 * @property {string} at  ISO 8601, UTC
 * @property {boolean} blind  Given before call, label and heat map were shown
 * @property {Record<string, string>} on  What it was given on: column -> text, as in the sheet */

/** A range of numbers; null is open.
 * @typedef {{low: number | null, high: number | null}} Range */

/** What the reader has chosen.
 * @typedef {object} State
 * @property {string} query
 * @property {string[]} show  Keys of outcomes
 * @property {number} low
 * @property {number} high
 * @property {Record<string, string | Range>} columns
 * @property {string} sort
 * @property {boolean} descending
 * @property {string} view
 * @property {number} threshold
 * @property {number | null} prevalence
 * @property {number} heat
 * @property {boolean} blind  Call, label and heat map are hidden until a film is read */

/** All that decides what a film is called and shown as.
 * @typedef {{config: Config, state: State, verdictOf: (film: Film) => Verdict | undefined}} Reading */

export {};
