// One sample: every run's edit over its source, with a divider that moves in all of them at once.

let opened = -1; // the sample in the dialog
const LONG = 300; // characters of an instruction that is kept small, so that the pictures stay in view
let split = 50; // percent of the picture, from the left, that shows the source

function show(sample) {
  opened = sample;
  const index = list.indexOf(sample);
  const onDivider = document.activeElement?.classList.contains("divider");
  $("detail.position").textContent = index < 0 ? samples.key[sample] : `${(index + 1).toLocaleString("en")} of ${list.length.toLocaleString("en")}`;
  $("previous").disabled = index <= 0;
  $("next").disabled = index < 0 || index === list.length - 1;
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
  const facts = [data.categories[samples.category[sample]], data.languages[samples.language[sample]], samples.key[sample]];
  if (known === null) facts.push("its instruction lies with the edits and was not found");
  const groups = runsByEdits();
  const panels = make("div", { className: groups.length === 1 ? "panels one" : "panels" }, ...groups.map((group) => panel(group, sample)));
  const sections = [heading, make("p", { className: "about" }, ...facts.map((text) => make("span", {}, text))), panels];
  if (samples.reference[sample]) {
    const text = make("p", { lang: language(sample), dir: "auto" }, samples.reference[sample]);
    sections.push(make("section", { className: "reference" }, make("h3", {}, "What the benchmark expects"), text));
  }
  const extra = samples.extra[sample];
  if (extra) sections.push(make("div", { className: "extra" }, ...extra.filter(([, picture]) => picture >= 0).map(([caption, picture]) =>
    make("figure", {}, make("img", { src: pictureUrl(picture), alt: caption }), make("figcaption", {}, caption)))));
  return sections;
}

/** One edit, and the judgement of each run that judged it. */
function panel(group, sample) {
  const judgements = group.map((run) => judgement(run, sample));
  return make("article", { className: "panel" }, stage(pictureRun(group, sample), sample),
    judgements.length > 1 ? make("div", { className: "several" }, ...judgements) : judgements[0]);
}

function stage(run, sample) {
  const [before, after] = [samples.source[sample], results[run].edited[sample]];
  const both = before >= 0 && after >= 0;
  const box = make("div", { className: both ? "stage" : "stage single" });
  if (before >= 0) box.append(picture(before, "Source", "before"));
  if (after >= 0) box.append(picture(after, `Edited by ${runs[run].label}`, both ? "after" : "before"));
  if (before < 0 && after < 0) box.append(make("p", { className: "none" }, missingReason(run, sample)));
  else box.append(...(before >= 0 ? [corner("left", "source")] : []), corner("right", after >= 0 ? "edited" : missingReason(run, sample)));
  const first = box.querySelector("img");
  first?.addEventListener("load", () => box.style.setProperty("--ratio", first.naturalWidth / first.naturalHeight), { once: true });
  if (both) addDivider(box, run);
  return box;
}

const corner = (side, text) => make("span", { className: `corner ${side}` }, text);

/** The picture of the page at once, the full one in its place when it has come. */
function picture(number, alt, className) {
  const image = make("img", { src: pictureUrl(number), alt, className, draggable: false });
  if (data.pictures.full) {
    const full = make("img", { src: pictureUrl(number, data.pictures.full) });
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

/** A run's score of a sample, the numbers behind it, and the reply. */
function judgement(run, sample) {
  const result = results[run];
  const reason = status(run, sample);
  const value = result.score[sample];
  const scale = runs[run].scale;
  const mark = value === null
    ? make("p", { className: "big bad" }, reason ? reason.replaceAll("_", " ") : "not in this run")
    : make("p", { className: "big" }, formatNumber(value), scale && make("small", {}, ` of ${scale[0]} to ${scale[1]}`));
  return make("div", { className: "judgement" }, make("h3", {}, runs[run].label), mark, measures(result, sample),
    ...reply(result.response[sample], run, language(sample)));
}

/** What the judge wrote: of JSON that gives a reason only the reason, with the whole reply to unfold. */
function reply(text, run, lang) {
  if (!text) return [];
  const prose = text.replace(/\{[^{}]*\}/g, (object) => {
    try {
      const fields = JSON.parse(object);
      const reason = fields.reason ?? fields.reasoning;
      return typeof reason === "string" ? reason : object;
    } catch { return object; }
  });
  const properties = { className: "reply", lang, dir: "auto", tabIndex: 0, role: "region", "aria-label": `What the judge wrote of ${runs[run].label}` };
  if (prose === text) return [make("p", properties, text)];
  return [make("p", properties, prose), make("details", { className: "whole" }, make("summary", {}, "Whole reply"), make("p", { lang, dir: "auto" }, text))];
}

/** The numbers behind a score: criteria, expectation, spread of votes, mass. */
function measures(result, sample) {
  const [names, ...values] = result.criteria[sample] || [-1];
  // A rubric's only criterion is the score.
  const rows = names < 0 || values.length < 2 ? [] : data.criteria[names].map((name, number) => [name, formatNumber(values[number])]);
  const read = result.read[sample] >= 0 ? data.reads[result.read[sample]] : "";
  if (result.expected[sample] !== null && read !== "expected") rows.push(["expected", formatNumber(result.expected[sample])]);
  if (result.spread[sample] !== null) rows.push(["spread of votes", formatNumber(result.spread[sample])]);
  if (result.mass[sample] !== null) rows.push(["mass on answers", formatNumber(result.mass[sample])]);
  if (read) rows.push(["read", read]);
  if (result.flags[sample]) rows.push(["flags", result.flags[sample].map((code) => data.flags[code]).join(", ")]);
  if (!rows.length) return null;
  return make("dl", { className: "measures" }, ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

/** Open the sample that the page's URL names; close the view where it names none. */
function followUrl() {
  const sample = sampleInUrl();
  if (sample !== undefined) show(sample);
  else if ($("detail").open) $("detail").close();
}

/** Go `by` samples forward in the list. */
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
    if (sampleInUrl() !== undefined) history.replaceState(null, "", location.pathname + location.search);
    const index = list.indexOf(opened);
    opened = -1;
    if (index >= 0) focusCard(index);
  });
  addEventListener("hashchange", followUrl);
}
