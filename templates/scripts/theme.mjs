// Sets the colour theme before anything is painted: the reader's choice, else the system's.
let chosen = null;
try { chosen = localStorage.getItem("cxrscan:theme"); } catch { /* storage may be closed to local files */ }
const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
document.documentElement.dataset.theme = dark ? "dark" : "light";
