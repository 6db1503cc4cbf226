// One sample: every run's edit over its source, with a divider that moves in all of them at once.

let opened = -1; // the sample in the dialog
const LONG = 300; // characters of an instruction that is kept small, so that the pictures stay in view
let split = 50; // percent of the picture, from the left, that shows the source

function show(sample) {
  opened = sample;
  const at = list.indexOf(sample);
  const onDivider = document.activeElement?.classList.contains("divider");
  $("detail.place").textContent = at < 0 ? samples.key[sample] : `${(at + 1).toLocaleString("en")} of ${list.length.toLocaleString("en")}`;
  $("previous").disabled = at <= 0;
  $("next").disabled = at < 0 || at === list.length - 1;
  $("detail.body").replaceChildren(...body(sample));
  if (!$("detail").open) {
    $("detail").showModal();
    $("close").focus();
  } else if (onDivider) $("detail").querySelector(".divider")?.focus();
  else if ($("detail").contains(document.activeElement) && document.activeElement.disabled) $("close").focus();
  $("detail").scrollTop = 0;
  setSplit(split);
}

function body(sample) {
  const known = instruction(sample);
  const heading = make("h2", { id: "detail.title", dir: "auto", lang: known === null ? "en" : language(sample) }, known ?? samples.key[sample]);
  if (heading.textContent.length > LONG) Object.assign(heading, { className: "long", tabIndex: 0 });
  const about = [data.categories[samples.category[sample]], data.languages[samples.language[sample]], samples.key[sample]];
  if (known === null) about.push("its instruction lies with the edits and was not found");
  const groups = edits();
  const panels = make("div", { className: groups.length === 1 ? "panels one" : "panels" }, ...groups.map((group) => panel(group, sample)));
  const parts = [heading, make("p", { className: "about" }, ...about.map((text) => make("span", {}, text))), panels];
  if (samples.reference[sample]) {
    const text = make("p", { lang: language(sample), dir: "auto" }, samples.reference[sample]);
    parts.push(make("section", { className: "reference" }, make("h3", {}, "What the benchmark expects"), text));
  }
  const further = samples.further[sample];
  if (further) parts.push(make("div", { className: "further" }, ...further.filter(([, picture]) => picture >= 0).map(([what, picture]) =>
    make("figure", {}, make("img", { src: address(picture), alt: what }), make("figcaption", {}, what)))));
  return parts;
}

/** One edit, and what each of the runs that judged it said. */
function panel(group, sample) {
  const said = group.map((run) => words(run, sample));
  return make("article", { className: "panel" }, stage(pictureRun(group, sample), sample),
    said.length > 1 ? make("div", { className: "several" }, ...said) : said[0]);
}

function stage(run, sample) {
  const [before, after] = [samples.source[sample], results[run].edited[sample]];
  const both = before >= 0 && after >= 0;
  const box = make("div", { className: both ? "stage" : "stage single" });
  if (before >= 0) box.append(picture(before, "Source", "before"));
  if (after >= 0) box.append(picture(after, `Edited by ${runs[run].label}`, both ? "after" : "before"));
  if (before < 0 && after < 0) box.append(make("p", { className: "none" }, absent(run, sample)));
  else box.append(...(before >= 0 ? [corner("left", "source")] : []), corner("right", after >= 0 ? "edited" : absent(run, sample)));
  const first = box.querySelector("img");
  first?.addEventListener("load", () => box.style.setProperty("--ratio", first.naturalWidth / first.naturalHeight), { once: true });
  if (both) addDivider(box, run);
  return box;
}

const corner = (side, text) => make("span", { className: `corner ${side}` }, text);

/** The picture of the page at once, the full one in its place when it has come. */
function picture(number, alt, className) {
  const image = make("img", { src: address(number), alt, className, draggable: false });
  if (data.pictures.full) {
    const full = make("img", { src: address(number, data.pictures.full) });
    full.addEventListener("load", () => { image.src = full.src; }, { once: true });
  }
  return image;
}

function addDivider(box, run) {
  const divider = make("div", { className: "divider", role: "slider", tabIndex: 0, "aria-label": `Divider between source and edit of ${runs[run].label}`, "aria-valuemin": 0, "aria-valuemax": 100, "aria-orientation": "horizontal" });
  box.append(divider);
  divider.addEventListener("keydown", slide);
  box.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    box.setPointerCapture(event.pointerId);
    follow(box, event);
    divider.focus({ preventScroll: true });
    event.preventDefault();
  });
  box.addEventListener("pointermove", (event) => { if (box.hasPointerCapture(event.pointerId)) follow(box, event); });
}

function follow(box, event) {
  const { left, width } = box.getBoundingClientRect();
  setSplit((100 * (event.clientX - left)) / width);
}

function slide(event) {
  const step = event.shiftKey ? 10 : 2;
  const to = { ArrowLeft: split - step, ArrowDown: split - step, ArrowRight: split + step, ArrowUp: split + step, PageDown: split - 10, PageUp: split + 10, Home: 0, End: 100 }[event.key];
  if (to === undefined) return;
  setSplit(to);
  event.preventDefault();
  event.stopPropagation();
}

function setSplit(percent) {
  split = Math.max(0, Math.min(100, percent));
  $("detail").style.setProperty("--split", `${split}%`);
  for (const divider of $("detail").querySelectorAll(".divider")) {
    divider.setAttribute("aria-valuenow", Math.round(split));
    divider.setAttribute("aria-valuetext", `${Math.round(split)} % source, ${Math.round(100 - split)} % edit`);
  }
}

function words(run, sample) {
  const result = results[run];
  const what = status(run, sample);
  const value = result.score[sample];
  const scale = runs[run].scale;
  const mark = value === null
    ? make("p", { className: "big bad" }, what ? what.replaceAll("_", " ") : "not in this run")
    : make("p", { className: "big" }, shown(value), scale && make("small", {}, ` of ${scale[0]} to ${scale[1]}`));
  return make("div", { className: "words" }, make("h3", {}, runs[run].label), mark, facts(result, sample),
    ...reply(result.response[sample], run, language(sample)));
}

/** What the judge wrote: of JSON that gives a reason only the reason, with the whole reply to unfold. */
function reply(text, run, lang) {
  if (!text) return [];
  const said = text.replace(/\{[^{}]*\}/g, (found) => {
    try {
      const read = JSON.parse(found);
      const reason = read.reason ?? read.reasoning;
      return typeof reason === "string" ? reason : found;
    } catch { return found; }
  });
  const about = { className: "reply", lang, dir: "auto", tabIndex: 0, role: "region", "aria-label": `What the judge wrote of ${runs[run].label}` };
  if (said === text) return [make("p", about, text)];
  return [make("p", about, said), make("details", { className: "whole" }, make("summary", {}, "Whole reply"), make("p", { lang, dir: "auto" }, text))];
}

function facts(result, sample) {
  const [names, ...values] = result.criteria[sample] || [-1];
  // A rubric's only criterion is the score.
  const found = names < 0 || values.length < 2 ? [] : data.criteria[names].map((name, number) => [name, shown(values[number])]);
  const read = result.read[sample] >= 0 ? data.reads[result.read[sample]] : "";
  if (result.expected[sample] !== null && read !== "expected") found.push(["expected", shown(result.expected[sample])]);
  if (result.spread[sample] !== null) found.push(["spread of votes", shown(result.spread[sample])]);
  if (result.mass[sample] !== null) found.push(["mass on answers", shown(result.mass[sample])]);
  if (read) found.push(["read", read]);
  if (result.flags[sample]) found.push(["flags", result.flags[sample].map((code) => data.flags[code]).join(", ")]);
  if (!found.length) return null;
  return make("dl", { className: "parts" }, ...found.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

/** Open what the address names; close where it names no sample. */
function followAddress() {
  const sample = addressed();
  if (sample !== undefined) show(sample);
  else if ($("detail").open) $("detail").close();
}

/** The sample `by` places further in the list. */
function step(by) {
  const sample = list[list.indexOf(opened) + by];
  if (sample === undefined || !list.includes(opened)) return;
  history.replaceState(null, "", fragment(sample));
  show(sample);
}

function setUpDetail() {
  $("previous").addEventListener("click", () => step(-1));
  $("next").addEventListener("click", () => step(1));
  $("close").addEventListener("click", () => $("detail").close());
  $("detail").addEventListener("close", () => {
    if (addressed() !== undefined) history.replaceState(null, "", location.pathname + location.search);
    const at = list.indexOf(opened);
    opened = -1;
    if (at >= 0) focusCard(at);
  });
  addEventListener("hashchange", followAddress);
}
