// Keys, theme, help, and the start.

const THEMES = { "": "Auto", light: "Light", dark: "Dark" };
const root = document.documentElement;

function nextTheme() {
  const names = Object.keys(THEMES);
  const theme = names[(names.indexOf(root.dataset.theme ?? "") + 1) % names.length];
  if (theme) root.dataset.theme = theme;
  else delete root.dataset.theme;
  try { localStorage.setItem("editbench.theme", theme); } catch { /* no storage: until the page is closed */ }
  nameTheme();
}

function nameTheme() {
  const name = THEMES[root.dataset.theme ?? ""];
  $("theme").textContent = name;
  $("theme").setAttribute("aria-label", `Colours: ${name}`);
}

const help = () => { if (!$("help").open) $("help").showModal(); };

function search() {
  if ($("detail").open) $("detail").close();
  $("search").focus();
  $("search").select();
}

/** What a key does, by whether a sample is open. */
function action(key) {
  const common = { "/": search, "?": help, t: nextTheme };
  if (common[key]) return common[key];
  if ($("detail").open) {
    const by = { j: 1, ArrowRight: 1, k: -1, ArrowLeft: -1 }[key];
    return by && (() => step(by));
  }
  const focused = document.activeElement?.closest(".card");
  const by = { j: 1, k: -1, ...(focused && { ArrowRight: 1, ArrowLeft: -1, ArrowDown: layout.columns, ArrowUp: -layout.columns }) }[key];
  // The first key goes to the card that has its turn; the next ones from there.
  return by && (() => focusCard(focused ? current + by : current));
}

function onKey(event) {
  const typing = event.target.matches("input:not([type=checkbox]), select, textarea");
  if (event.ctrlKey || event.metaKey || event.altKey || $("help").open) return;
  if (event.key === "Escape" && event.target === $("search")) { clearFilters(); $("search").blur(); return; }
  if (typing) return;
  const act = action(event.key);
  if (!act) return;
  event.preventDefault();
  act();
}

setUpFilters();
setUpGrid();
setUpDetail();
readFilters();
refresh();
spectrum();
nameTheme();
$("theme").hidden = $("ask").hidden = false;
$("theme").addEventListener("click", nextTheme);
$("ask").addEventListener("click", help);
document.addEventListener("keydown", onKey);
followUrl();
