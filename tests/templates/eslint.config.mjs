// Rules for the scripts of the report's page and for their tests.
import js from "@eslint/js";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    rules: {
      eqeqeq: "error",
      "no-var": "error",
      "prefer-const": "error",
      "no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "no-implicit-coercion": "error",
      "no-shadow": ["error", { builtinGlobals: false }],
      "no-restricted-properties": ["error", { property: "innerHTML", message: "Text goes in as text, never as HTML." }],
      "max-len": ["error", { code: 180 }],
    },
  },
  { files: ["**/templates/scripts/*.mjs"], languageOptions: { globals: globals.browser } },
  { files: ["**/*.test.mjs", "**/estimates.mjs"], languageOptions: { globals: globals.node } },
];
