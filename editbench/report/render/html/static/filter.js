// Which samples are shown, in what order, and with which runs.

const MOST_RUNS = 4;
const state = {
  query: "", category: -1, status: -1, language: -1, flag: -1, low: null, high: null, sort: "order", by: 0,
  runs: runs.map((_, run) => run).slice(0, MOST_RUNS),
};
let texts = null;

/** What the search looks in; made when it is first used (100,000 samples take a moment). */
function searchable(sample) {
  texts ??= new Array(total);
  texts[sample] ??= [samples.key[sample], instruction(sample) ?? "", samples.reference[sample], ...results.map((run) => run.response[sample])]
    .join("\n").toLowerCase();
  return texts[sample];
}

function matches(sample) {
  const result = results[state.by];
  const value = result.score[sample];
  return (
    (state.category < 0 || samples.category[sample] === state.category) &&
    (state.language < 0 || samples.language[sample] === state.language) &&
    (state.status < 0 || result.status[sample] === state.status) &&
    (state.flag < 0 || (result.flags[sample] && result.flags[sample].includes(state.flag))) &&
    (state.low === null || (value !== null && value >= state.low)) &&
    (state.high === null || (value !== null && value <= state.high)) &&
    (state.query === "" || searchable(sample).includes(state.query)) &&
    state.runs.some((run) => results[run].status[sample] >= 0)
  );
}

/** The runs shown, those of the same edits together: [[run, ...], ...]. */
function runsByEdits() {
  const groups = new Map();
  for (const run of state.runs) groups.set(runs[run].edits, [...(groups.get(runs[run].edits) ?? []), run]);
  return [...groups.values()];
}

/** The run of a group of the same edits that has the picture; the first one if none has. */
const pictureRun = (group, sample) => group.find((run) => results[run].edited[sample] >= 0) ?? group[0];

/** Second run minus first, on 0..1; null where one has no score. */
function difference(sample) {
  const [first, second] = state.runs.map((run) => share(run, sample));
  return first === null || second === null || second === undefined ? null : second - first;
}

/** How far the scores of the runs shown lie apart, on 0..1. */
function disagreement(sample) {
  const known = state.runs.map((run) => share(run, sample)).filter((value) => value !== null);
  return known.length < 2 ? null : Math.max(...known) - Math.min(...known);
}

const votes = results.some((run) => run.spread.some((value) => value !== null));
const ORDERS = {
  order: ["Benchmark order", null],
  low: ["Lowest score first", (sample) => share(state.by, sample)],
  high: ["Highest score first", (sample) => negative(share(state.by, sample))],
  ...(runs.length > 1 && {
    gain: ["Largest gain first", (sample) => negative(difference(sample))],
    loss: ["Largest loss first", (sample) => difference(sample)],
    dispute: ["Largest disagreement first", (sample) => negative(disagreement(sample))],
  }),
  ...(votes && { spread: ["Most divided votes first", (sample) => negative(results[state.by].spread[sample])] }),
};
const negative = (value) => (value === null || value === undefined ? null : -value);

/** The samples that match the filters, in order; those without a value to sort by come last. */
function filteredSamples() {
  const matching = [];
  for (let sample = 0; sample < total; sample += 1) if (matches(sample)) matching.push(sample);
  const sortValue = ORDERS[state.sort][1];
  if (!sortValue) return matching;
  const values = new Map(matching.map((sample) => [sample, sortValue(sample) ?? Infinity]));
  return matching.sort((first, second) => {
    const [left, right] = [values.get(first), values.get(second)];
    return left === right ? first - second : left - right;
  });
}

/** Fill a select with the names that occur; `codes`: those that do, if not all. */
function fillSelect(id, all, names, codes) {
  const options = names.map((name, code) => [name, code]).filter(([name, code]) => name !== "" && (!codes || codes.has(code)));
  $(id).append(make("option", { value: -1 }, all), ...options.map(([name, code]) => make("option", { value: code }, name)));
  $(id).parentElement.hidden = options.length < (id === "flag" ? 1 : 2);
}

/** Name the runs in the orders by difference. */
function nameOrders() {
  const [first, second] = state.runs.map((run) => runs[run].label);
  for (const name of ["gain", "loss"]) {
    const option = $("sort").querySelector(`[value=${name}]`);
    option.textContent = second === undefined ? `Largest ${name} first` : `Largest ${name} of ${second} over ${first}`;
    option.disabled = second === undefined;
  }
  $("sort").querySelector("[value=dispute]").disabled = second === undefined;
  if ($("sort").selectedOptions[0]?.disabled) { $("sort").value = "order"; readFilters(); }
}

function runBoxes() {
  const boxes = runs.map((run, number) => {
    const box = make("input", { type: "checkbox", checked: state.runs.includes(number), value: number });
    return make("label", {}, box, run.label);
  });
  const readBoxes = () => {
    const inputs = boxes.map((label) => label.firstChild);
    state.runs = inputs.filter((box) => box.checked).map((box) => Number(box.value));
    for (const box of inputs) box.disabled = box.checked ? state.runs.length === 1 : state.runs.length >= MOST_RUNS;
    nameOrders();
  };
  $("runs").append(...boxes);
  readBoxes();
  $("runs").addEventListener("change", () => { readBoxes(); refresh(); });
}

/** Number of a field, null when it is empty. */
const bound = (id) => ($(id).value === "" ? null : $(id).valueAsNumber);

function readFilters() {
  for (const name of ["category", "status", "language", "flag", "by"]) state[name] = Number($(name).value);
  [state.low, state.high, state.sort] = [bound("low"), bound("high"), $("sort").value];
  state.query = $("search").value.trim().toLowerCase();
}

function clearFilters() {
  $("filters").reset();
  applyFilters();
}

function applyFilters() {
  for (const box of $("runs").querySelectorAll("input")) box.checked = state.runs.includes(Number(box.value));
  readFilters();
  refresh();
}

/** Filter and order as a link of the results says (data-category, data-sort, data-by), and by nothing else. */
function followLink(link) {
  $("filters").reset();
  if (link.category !== undefined) $("category").value = data.categories.indexOf(link.category);
  for (const name of ["sort", "by"]) if (link[name] !== undefined) $(name).value = link[name];
  applyFilters();
}

function setUpFilters() {
  fillSelect("category", "Any category", data.categories);
  fillSelect("language", "Any language", data.languages);
  fillSelect("flag", "Any flag", data.flags);
  fillSelect("status", "Any status", data.statuses, new Set(results.flatMap((run) => [...new Set(run.status)])));
  $("sort").append(...Object.entries(ORDERS).map(([name, [title]]) => make("option", { value: name }, title)));
  $("by").append(...runs.map((run, number) => make("option", { value: number }, `by ${run.label}`)));
  $("by.label").hidden = runs.length < 2;
  if (runs.length > 1) runBoxes();
  let timer = 0;
  $("filters").addEventListener("input", (event) => {
    if (event.target.type === "checkbox") return;
    clearTimeout(timer);
    timer = setTimeout(() => { readFilters(); refresh(); }, event.target.id === "search" ? 120 : 0);
  });
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("clear").addEventListener("click", clearFilters);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-category], a[data-sort]");
    if (link) followLink(link.dataset);
  });
  $("filters").hidden = false;
}
