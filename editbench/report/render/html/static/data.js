// The page's data (its layout: editbench/report/html/data.py), and what the other parts ask of it.

const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const { samples, results, runs } = data;
const total = samples.key.length;
const place = new Map(samples.key.map((key, sample) => [key, sample]));
let held = null;

/** An element; properties are set, `data`-, `aria-` and `role` ones as attributes; children are elements or text, never markup. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.filter(Boolean));
  return element;
}

/** Where a picture lies; as `paths.ReportPaths.picture` has it for those beside the page. */
function address(picture, edge = data.pictures.edge) {
  if (edge === data.pictures.edge && data.pictures.held) {
    held ??= JSON.parse($("held").textContent);
    return `data:image/webp;base64,${held[picture]}`;
  }
  const name = data.pictures.names[picture];
  return `${data.pictures.folder}/${name.slice(0, 2)}/${name}-${edge}.webp`;
}

/** The fragment that opens a sample. */
const fragment = (sample) => `#${encodeURIComponent(samples.key[sample])}`;

/** The sample that the address names, undefined when it names none. */
function addressed() {
  const named = location.hash.slice(1);
  try {
    return place.get(decodeURIComponent(named)) ?? place.get(named);
  } catch { return place.get(named); }
}

const shown = (value) => (value === null ? "-" : value.toFixed(2));
const status = (run, sample) => {
  const code = results[run].status[sample];
  return code < 0 ? null : data.statuses[code];
};
const score = (run, sample) => results[run].score[sample];
const instruction = (sample) => samples.instruction[sample];

/** A score on 0..1 of its run's scale, so that runs of several rubrics compare. */
function share(run, sample) {
  const value = score(run, sample);
  const scale = runs[run].scale;
  return value === null || value === undefined ? null : scale ? (value - scale[0]) / (scale[1] - scale[0]) : value;
}

/** Why there is no picture. */
function absent(run, sample) {
  const what = status(run, sample);
  return what === null ? "not in this run" : what === "edit_failed" ? "no edit" : "picture missing";
}
const language = (sample) => ({ cn: "zh" })[data.languages[samples.language[sample]]] ?? data.languages[samples.language[sample]];
