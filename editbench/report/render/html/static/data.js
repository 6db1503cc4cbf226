// The page's data (its format: editbench/report/render/html/data.py), and what the other parts ask of it.

const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const { samples, results, runs } = data;
const total = samples.key.length;
const sampleByKey = new Map(samples.key.map((key, sample) => [key, sample]));
let embedded = null;

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

/** The URL of a picture; of one beside the page as `paths.ReportPaths.picture` has it. */
function pictureUrl(picture, edge = data.pictures.edge) {
  if (edge === data.pictures.edge && data.pictures.embedded) {
    embedded ??= JSON.parse($("embedded").textContent);
    return `data:image/webp;base64,${embedded[picture]}`;
  }
  const name = data.pictures.names[picture];
  return `${data.pictures.folder}/${name.slice(0, 2)}/${name}-${edge}.webp`;
}

/** The fragment that opens a sample. */
const fragment = (sample) => `#${encodeURIComponent(samples.key[sample])}`;

/** The sample that the page's URL names, undefined when it names none. */
function sampleInUrl() {
  const key = location.hash.slice(1);
  try {
    return sampleByKey.get(decodeURIComponent(key)) ?? sampleByKey.get(key);
  } catch { return sampleByKey.get(key); }
}

const formatNumber = (value) => (value === null ? "-" : value.toFixed(2));
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
function missingReason(run, sample) {
  const known = status(run, sample);
  return known === null ? "not in this run" : known === "edit_failed" ? "no edit" : "picture missing";
}

/** The language of a sample's instruction, as the attribute `lang` takes it. */
const language = (sample) => data.languages[samples.language[sample]].replace(/^cn$/, "zh");
