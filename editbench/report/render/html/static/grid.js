// The cards: only those near the window are in the document, so that 100,000 samples scroll as 100 do.

const GAP = 20;
const TALLEST = 30e6; // pixels; browsers clip an element at some 33 million
const EAGER = 60; // so many cards are always in the document: to print, to find in the page, to take a picture of
let list = []; // the samples that match the filters, in order
let layout = null;
let current = 0; // index into `list` of the card that takes the focus
const cards = new Map();
const hasPictures = samples.source.some((picture) => picture >= 0) || results.some((run) => run.edited.some((picture) => picture >= 0));

function measure() {
  const width = $("grid").clientWidth;
  const groups = runsByEdits();
  const pictures = 1 + groups.length;
  const lines = state.runs.length === 1 ? 1 : Math.max(2, ...groups.map((group) => group.length));
  const across = Math.max(2, Math.min(pictures, Math.floor(width / 105)));
  const strips = Math.ceil(pictures / across);
  const least = Math.min(width, Math.max(330, across * 150));
  const columns = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
  const card = (width - (columns - 1) * GAP) / columns;
  const cell = Math.floor((card - 8 - (across - 1) * 3) / across);
  const height = hasPictures ? Math.round(cell * 0.86) : 0; // between square and landscape, the commonest shapes
  return { columns, across, card, height, groups, row: strips * (height + 8 + 19 * lines) + 56 + GAP };
}

/** Filter, order and draw again. */
function refresh() {
  list = filteredSamples();
  layout = measure();
  const most = Math.floor(TALLEST / layout.row) * layout.columns;
  const cut = list.length > most;
  const whole = `${total.toLocaleString("en")} sample${total === 1 ? "" : "s"}`;
  $("count").textContent = list.length === total ? whole : `${list.length.toLocaleString("en")} of ${whole}`;
  if (cut) $("count").textContent += `; the first ${most.toLocaleString("en")} can be scrolled to, filter to see others`;
  $("clear").hidden = list.length === total;
  if (cut) list.length = most;
  $("grid").style.setProperty("--across", layout.across);
  $("grid").style.setProperty("--frame", `${layout.height}px`);
  $("grid").style.height = `${Math.ceil(list.length / layout.columns) * layout.row}px`;
  current = Math.min(current, Math.max(0, list.length - 1));
  for (const card of cards.values()) card.remove();
  cards.clear();
  draw();
}

/** Put the cards near the window into the document and take the others out; the one in focus stays. */
function draw() {
  const top = -$("grid").getBoundingClientRect().top;
  const all = list.length <= EAGER;
  const first = all ? 0 : Math.max(0, Math.floor((top - 600) / layout.row)) * layout.columns;
  const last = all ? list.length : Math.min(list.length, Math.ceil((top + innerHeight + 600) / layout.row) * layout.columns);
  for (const [index, card] of cards) {
    if ((index < first || index >= last) && !card.contains(document.activeElement)) { card.remove(); cards.delete(index); }
  }
  for (let index = first; index < last; index += 1) if (!cards.has(index)) addCard(index);
}

function addCard(index) {
  const card = buildCard(list[index], index);
  card.style.width = `${layout.card}px`;
  card.style.height = `${layout.row - GAP}px`;
  card.style.transform = `translate(${(index % layout.columns) * (layout.card + GAP)}px, ${Math.floor(index / layout.columns) * layout.row}px)`;
  const after = [...cards.keys()].filter((other) => other > index).sort((left, right) => left - right)[0];
  $("grid").insertBefore(card, after === undefined ? null : cards.get(after));
  cards.set(index, card);
}

function buildCard(sample, index) {
  const several = state.runs.length > 1;
  const category = make("span", { className: "soft" }, data.categories[samples.category[sample]]);
  const strip = make("span", { className: "strip" }, column(samples.source[sample], "no picture", several && "source", category),
    ...layout.groups.map((group) => editColumn(group, sample, several)));
  const title = make("span", { className: "instruction", dir: "auto", lang: language(sample) }, instruction(sample) ?? samples.key[sample]);
  const link = make("a", { href: fragment(sample), tabIndex: index === current ? 0 : -1, "aria-label": cardLabel(sample) }, strip, title);
  link.addEventListener("focus", () => { setCurrent(index); });
  return make("li", { className: "card", "aria-setsize": list.length, "aria-posinset": index + 1 }, link);
}

/** A picture, or the reason why there is none; below it whose it is, and further lines. */
function column(picture, reason, label, ...lines) {
  const frame = picture < 0 ? make("span", { className: "frame empty" }, reason)
    : make("span", { className: "frame" }, make("img", { src: pictureUrl(picture), alt: "", decoding: "async", draggable: false }));
  return make("span", { className: "column" }, frame, label && make("span", { className: "soft" }, label), ...lines);
}

/** An edit and its scores: of one run below its name, of several a line each. */
function editColumn(group, sample, several) {
  const run = pictureRun(group, sample);
  const picture = [results[run].edited[sample], missingReason(run, sample)];
  if (group.length === 1) return column(...picture, several && runs[run].label, scoreLine(run, sample));
  const lines = group.map((judge) => make("span", { className: "judged" }, make("span", { className: "soft" }, runs[judge].label), scoreLine(judge, sample)));
  return column(...picture, null, ...lines);
}

/** A score and the edit's flags, or why there is no score. */
function scoreLine(run, sample) {
  const value = score(run, sample);
  const flags = results[run].flags[sample] ? results[run].flags[sample].map((code) => data.flags[code]).join(", ") : "";
  if (value !== null) return make("span", {}, make("b", {}, formatNumber(value)), flags && make("span", { className: "bad" }, ` ${flags}`));
  const reason = status(run, sample);
  return make("span", { className: reason ? "bad" : "soft" }, reason ? reason.replaceAll("_", " ") : "-");
}

/** What a screen reader says of a card. */
function cardLabel(sample) {
  const scores = state.runs.map((run) => {
    const value = score(run, sample);
    return `${runs.length > 1 ? `${runs[run].label} ` : ""}${value === null ? status(run, sample) ?? "not in this run" : formatNumber(value)}`;
  });
  return `${instruction(sample) ?? samples.key[sample]}; ${data.categories[samples.category[sample]]}; ${scores.join(", ")}`;
}

function setCurrent(index) {
  const before = cards.get(current);
  if (before) before.firstChild.tabIndex = -1;
  current = index;
  const card = cards.get(index);
  if (card) card.firstChild.tabIndex = 0;
}

/** Focus the card of a sample by its index into the list, scrolled into the window. */
function focusCard(index) {
  if (!list.length) return;
  const wanted = Math.max(0, Math.min(list.length - 1, index));
  const grid = $("grid").getBoundingClientRect().top + scrollY;
  const top = grid + Math.floor(wanted / layout.columns) * layout.row;
  const bar = getComputedStyle($("filters")).position === "sticky" ? $("filters").offsetHeight : 0;
  if (top - bar < scrollY) scrollTo({ top: top - bar - 8, behavior: "instant" });
  else if (top + layout.row > scrollY + innerHeight) scrollTo({ top: top + layout.row - innerHeight, behavior: "instant" });
  setCurrent(wanted);
  draw();
  cards.get(wanted).firstChild.focus({ preventScroll: true });
}

function setUpGrid() {
  let requested = false;
  addEventListener("scroll", () => {
    if (requested) return;
    requested = true;
    requestAnimationFrame(() => { requested = false; draw(); });
  }, { passive: true });
  let width = $("grid").clientWidth;
  new ResizeObserver(() => {
    if ($("grid").clientWidth === width) return;
    width = $("grid").clientWidth;
    refresh();
  }).observe($("grid"));
}

/** Pictures from the lowest score to the highest, of the run that leads. */
function spectrum(count = 6) {
  const run = Number($("spectrum").dataset.run);
  const scored = [...Array(total).keys()].filter((sample) => score(run, sample) !== null && results[run].edited[sample] >= 0);
  if (scored.length < 2) return;
  scored.sort((first, second) => score(run, first) - score(run, second) || first - second);
  const taken = Math.min(count, scored.length);
  const picks = Array.from({ length: taken }, (_, step) => scored[Math.round((step * (scored.length - 1)) / (taken - 1))]);
  $("spectrum").querySelector("ol").append(...picks.map((sample) => {
    const category = data.categories[samples.category[sample]];
    const caption = make("span", {}, make("b", {}, formatNumber(score(run, sample))), make("span", { className: "soft" }, category));
    const image = make("img", { src: pictureUrl(results[run].edited[sample]), alt: instruction(sample) ?? samples.key[sample] });
    return make("li", {}, make("a", { href: fragment(sample) }, image, caption));
  }));
  $("spectrum").hidden = false;
}
