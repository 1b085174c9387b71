"use strict";
// The page. Names come from files that anybody may have written: they are set as text, never as HTML.
/* global L, SOURCE */

const $ = (id) => document.getElementById(id);

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// ---------------------------------------------------------------- numbers and colours

function format(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 1000) return value.toLocaleString("en", { maximumFractionDigits: 0 });
  return value.toLocaleString("en", { maximumSignificantDigits: digits });
}

const signed = (value, digits) => (value > 0 ? `+${format(value, digits)}` : format(value, digits).replace("-", "−"));

function niceTicks(low, high, count) {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= raw);
  const ticks = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + 1e-9 * step; n += 1) ticks.push(Number((n * step).toPrecision(12)));
  return ticks;
}

function colourOf(colours, low, high, value) {
  const at = Math.min(1, Math.max(0, (value - low) / (high - low || 1)));
  return colours[Math.round(at * (colours.length - 1))];
}

const percent = (value) => (value === null || value === undefined ? "–" : `${Math.round(100 * value)} %`);

function drawRamp(box, title, unit, colours, [low, high], open = true) {
  const bar = make("div", { class: "ramp" });
  bar.style.background = `linear-gradient(to right, ${colours.join(", ")})`;
  const ticks = make("div", { class: "ticks" });
  for (const tick of niceTicks(low, high, 5)) {
    const label = make("span", {}, format(tick));
    label.style.left = `${(100 * (tick - low)) / (high - low)}%`;
    ticks.append(label);
  }
  const heading = make("p", { class: "legend-title" }, title, unit ? make("span", {}, unit) : null);
  box.replaceChildren(heading, bar, ticks);
  bar.title = open ? "Values beyond the ends have the colours of the ends." : "";
}

function drawClasses(box, title, classes) {
  const rows = classes.map((each) => {
    const swatch = make("i");
    swatch.style.background = each.colour;
    return make("li", {}, swatch, each.label);
  });
  box.replaceChildren(make("p", { class: "legend-title" }, title), make("ul", { class: "classes" }, ...rows));
}

// ---------------------------------------------------------------- state

const state = { view: null, model: null, period: 0, change: null, layer: "organic_carbon", right: { layer: null, period: 0 }, share: 0.5 };
const shown = { left: null, right: null, hatchedLeft: null, hatchedRight: null, raster: null, relief: null, samples: null, place: null };
let map;

// What is looked at: a period, or a change between two.
const period = () => (state.change === null ? state.model.periods[state.period] : state.model.changes[state.change]);
const rightPeriod = () => state.model.periods[state.right.period];
const layerOf = (key) => state.view.layers.find((each) => each.key === key);
const comparing = () => $("compare").checked;

function fail(error) {
  $("message").textContent = error.message || String(error);
  $("message").hidden = false;
}

// ---------------------------------------------------------------- map

function makeMap() {
  map = L.map("map", { zoomControl: false, attributionControl: false, preferCanvas: true, maxZoom: SOURCE.zoom, minZoom: 2, zoomSnap: 0.25, worldCopyJump: false });
  L.control.zoom({ position: "topright" }).addTo(map);
  L.control.scale({ position: "bottomright", imperial: false, maxWidth: 140 }).addTo(map);
  for (const [name, order] of [["relief", 210], ["left", 300], ["right", 301], ["raster", 320], ["lines", 380], ["samples", 450], ["place", 460]]) {
    map.createPane(name).style.zIndex = order;
  }
  for (const name of ["relief", "left", "right", "raster", "lines"]) map.getPane(name).style.pointerEvents = "none";
  map.on("move zoom resize viewreset zoomend", placeSwipe);
  map.on("moveend resize", drawGrid);
  map.on("click", (event) => showPlace(event.latlng));
}

function fit() {
  const [west, south, east, north] = state.model.bounds;
  const narrow = window.matchMedia("(max-width: 720px)").matches;
  const padding = narrow ? { paddingTopLeft: [12, 24], paddingBottomRight: [12, $("panel").offsetHeight + 16] } : { paddingTopLeft: [$("panel").offsetWidth + 40, 40], paddingBottomRight: [40, 40] };
  map.fitBounds([[south, west], [north, east]], padding);
}

// A layer takes the place of another only when it can be seen: no blink when the period changes.
function replace(name, layer) {
  const former = shown[name];
  shown[name] = layer;
  if (!layer) {
    if (former) former.remove();
    return;
  }
  layer.addTo(map);
  if (!former) return;
  const drop = () => former.remove();
  if (layer instanceof L.GridLayer) layer.once("load", drop);
  window.setTimeout(drop, layer instanceof L.GridLayer ? 4000 : 60);
}

function showMap() {
  const key = period().layers.includes(state.layer) ? state.layer : period().layers[0];
  replace("left", SOURCE.mapLayer(state.model, period(), key, "left"));
  replace("right", comparing() ? SOURCE.mapLayer(state.model, rightPeriod(), state.right.layer, "right") : null);
  showHatching();
  setOpacity();
  showLegend();
  showFigures();
  showMapCard();
  placeSwipe();
}

function showMapCard() {
  const wanted = SOURCE.card && period().card;
  const link = () => make("a", { href: SOURCE.card(state.model, period()), target: "_blank", rel: "noreferrer" }, `Card of ${period().label}`);
  $("map-card").replaceChildren(...(wanted ? [link(), ": what made it, scores, and what it is not good for."] : []));
}

function showHatching() {
  const wanted = (key, of) => $("hatched").checked && key !== "quality" && of.layers.includes("quality");
  replace("hatchedLeft", wanted(state.layer, period()) ? SOURCE.mapLayer(state.model, period(), "hatched", "left") : null);
  const right = comparing() && wanted(state.right.layer, rightPeriod());
  replace("hatchedRight", right ? SOURCE.mapLayer(state.model, rightPeriod(), "hatched", "right") : null);
}

function setOpacity() {
  for (const name of ["left", "right"]) map.getPane(name).style.opacity = $("opacity").value / 100;
  map.getPane("raster").style.opacity = $("raster-opacity").value / 100;
}

function showRelief() {
  const key = state.view.relief;
  replace("relief", key && $("relief").checked ? SOURCE.reliefLayer(key, "relief") : null);
  document.body.classList.toggle("on-relief", Boolean(shown.relief));
}

// ---------------------------------------------------------------- legend, figures, period

function showLegend() {
  const layer = layerOf(state.layer);
  const title = comparing() ? `${layer.title}, ${period().label}` : layer.title;
  if (layer.classes) drawClasses($("legend"), title, present(layer, period()));
  else drawRamp($("legend"), title, layer.unit, layer.colours, state.model.spans[layer.key]);
  if (comparing() && state.right.layer !== state.layer) {
    const other = layerOf(state.right.layer), box = make("div", { class: "legend second" });
    const label = `${other.title}, ${rightPeriod().label} (right)`;
    if (other.classes) drawClasses(box, label, present(other, rightPeriod()));
    else drawRamp(box, label, other.unit, other.colours, state.model.spans[other.key]);
    $("legend").append(box);
  }
  $("about-layer").textContent = layer.about;
}

// The classes that some cell of the map has; all of them where nobody has counted.
function present({ key, classes }, { counts }) {
  const found = classes.filter((each, number) => (counts[key] || {})[number] > 0);
  return found.length ? found : classes;
}

function showFigures() {
  const { mean, low, high, applicable, beyond } = period().figures, change = state.change !== null;
  const number = change ? signed : format;
  const figure = (value, unit, words) => make("div", {}, make("b", {}, value, unit ? make("small", {}, ` ${unit}`) : null), make("span", {}, words));
  $("figures").replaceChildren(
    figure(number(mean), "g/kg", change ? "mean change" : "mean"),
    figure(low === null ? "–" : `${number(low, 2)}${change ? " to " : "–"}${number(high, 2)}`, change ? "" : "g/kg", "9 of 10 cells"),
    change
      ? figure(percent(beyond), "", beyond === null ? "uncertainty unknown" : "beyond the uncertainty")
      : figure(percent(applicable), "", applicable === null ? "applicability unknown" : "inside the area of applicability"),
  );
  $("subtitle").textContent = `${period().label} · ${state.model.title}`;
  $("period-label").textContent = state.model.periods[state.period].label;
  $("caution").textContent = state.change === null ? CAUTION : CHANGE_CAUTION;
}

function fillPeriods() {
  const all = state.model.periods;
  state.period = Math.min(state.period, all.length - 1);
  $("period").max = all.length - 1;
  $("period").value = state.period;
  const changes = state.model.changes;
  $("period-section").hidden = all.length < 2 && !changes.length;
  $("change-row").hidden = !changes.length;
  $("change").replaceChildren(make("option", { value: "" }, "none"), ...changes.map((each, n) => make("option", { value: n }, each.label)));
  state.change = null;
  $("period-first").textContent = all[0].label;
  $("period-last").textContent = all[all.length - 1].label;
  const options = all.map((each, n) => make("option", { value: n }, each.label));
  $("right-period").replaceChildren(...options);
  state.right.period = all.length > 1 ? 0 : state.period;
  $("right-period").value = state.right.period;
}

function fillLayers() {
  const keys = period().layers;
  if (!keys.includes(state.layer)) state.layer = keys[0];
  const choices = keys.map((key) => {
    const input = make("input", { type: "radio", name: "layer", value: key, onchange: () => { state.layer = key; showMap(); } });
    input.checked = key === state.layer;
    return make("label", {}, input, make("span", {}, layerOf(key).title));
  });
  $("layers").replaceChildren(...choices);
  const others = rightPeriod().layers;
  $("right-layer").replaceChildren(...others.map((key) => make("option", { value: key }, layerOf(key).title)));
  state.right.layer = state.change !== null ? others[0] : state.model.periods.length > 1 ? state.layer : others.includes("width") ? "width" : others[others.length - 1];
  $("right-layer").value = state.right.layer;
  $("hatched-row").hidden = !keys.includes("quality");
  $("compare-section").hidden = keys.length < 2 && state.model.periods.length < 2;
}

// ---------------------------------------------------------------- two layers, one border

function placeSwipe() {
  const on = comparing(), bar = $("swipe"), size = map.getSize();
  bar.hidden = !on;
  const [left, right] = ["left", "right"].map((name) => map.getPane(name));
  if (!on) {
    left.style.clip = "";
    return;
  }
  const corner = map.containerPointToLayerPoint([0, 0]), end = map.containerPointToLayerPoint(size);
  const x = size.x * state.share;
  left.style.clip = `rect(${corner.y}px ${corner.x + x}px ${end.y}px ${corner.x}px)`;
  right.style.clip = `rect(${corner.y}px ${end.x}px ${end.y}px ${corner.x + x}px)`;
  bar.style.left = `${x}px`;
  bar.setAttribute("aria-valuenow", Math.round(100 * state.share));
  bar.querySelector(".left").textContent = `${layerOf(state.layer).title} ${period().label}`;
  bar.querySelector(".right").textContent = `${layerOf(state.right.layer).title} ${rightPeriod().label}`;
}

function dragSwipe() {
  const bar = $("swipe");
  const moveTo = (x) => { state.share = Math.min(0.98, Math.max(0.02, x / map.getSize().x)); placeSwipe(); };
  bar.addEventListener("pointerdown", (event) => { bar.setPointerCapture(event.pointerId); event.preventDefault(); bar.focus(); });
  bar.addEventListener("pointermove", (event) => { if (bar.hasPointerCapture(event.pointerId)) moveTo(event.clientX); });
  bar.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
    if (by) { moveTo((state.share + by) * map.getSize().x); event.preventDefault(); }
  });
}

// ---------------------------------------------------------------- samples

let samplesBy = "value";

async function showSamples() {
  const on = $("samples").checked;
  $("samples-options").hidden = !on;
  if (!on) return replace("samples", null);
  const told = await SOURCE.samples(state.model, period());
  const { columns } = told, residual = samplesBy === "residual" && told.residual_of;
  const carbon = layerOf("organic_carbon").colours, span = state.model.spans.organic_carbon;
  const ends = [-told.residual_span, told.residual_span], group = L.layerGroup();
  const radius = columns.id.length > 2000 ? 3.2 : 4.5;
  columns.id.forEach((id, n) => {
    const value = residual ? columns.residual[n] : columns.value[n];
    if (value === null) return;
    const colour = residual ? colourOf(told.residual_colours, ends[0], ends[1], value) : colourOf(carbon, span[0], span[1], value);
    const dot = L.circleMarker([columns.latitude[n], columns.longitude[n]], { pane: "samples", radius, weight: 1, color: "#fff", opacity: 0.9, fillColor: colour, fillOpacity: 1, bubblingMouseEvents: true });
    dot.bindTooltip(() => make("div", {}, make("b", {}, `${format(columns.value[n])} g/kg`), make("br"), [columns.source[n], columns.year[n], columns.split[n]].filter(Boolean).join(" · "), make("br"), id));
    group.addLayer(dot);
  });
  replace("samples", group);
  const choice = (key, words, off) => {
    const input = make("input", { type: "radio", name: "samples-by", value: key, disabled: off, onchange: () => { samplesBy = key; showSamples().catch(fail); } });
    input.checked = key === (residual ? "residual" : "value");
    return make("label", {}, input, make("span", {}, words));
  };
  $("samples-colour").replaceChildren(choice("value", "Measured", false), choice("residual", "Residual", !told.residual_of));
  if (residual) drawRamp($("samples-legend"), "Observed minus predicted", "g/kg", told.residual_colours, ends);
  else $("samples-legend").replaceChildren();
  $("samples-note").textContent = residual ? `Residuals: ${told.residual_of}.` : `${columns.id.length.toLocaleString("en")} samples of all years, in the colours of organic carbon.`;
}

// ---------------------------------------------------------------- rasters of the catalog

function fillSteps() {
  const band = state.view.rasters[$("band").value];
  $("step").replaceChildren(...band.steps.map((each, n) => make("option", { value: n }, each.label || "static")));
  const same = band.steps.findIndex((each) => each.label === period().label);
  $("step").value = same >= 0 ? same : band.steps.length - 1;
  $("step").disabled = band.steps.length < 2;
}

function showRaster() {
  const on = $("rasters").checked;
  $("rasters-options").hidden = !on;
  if (!on) return replace("raster", null);
  const band = state.view.rasters[$("band").value], step = band.steps[$("step").value];
  drawRamp($("raster-legend"), `${band.title} ${step.label}`, band.unit, band.colours, band.span);
  replace("raster", SOURCE.rasterLayer(step.key, "raster"));
}

// ---------------------------------------------------------------- a place

const VERDICTS = {
  yes: ["good", "Inside the area of applicability", "The model was trained on places like this one."],
  no: ["bad", "Outside the area of applicability", "The model was trained on nothing like this place: do not rely on the value."],
  lacking: ["bad", "Too many inputs missing", "More inputs are missing here than for any training sample: do not rely on the value."],
  unknown: ["unsure", "Applicability unknown", "Nothing says whether the model was trained on places like this one."],
};
let asked = 0;

async function showPlace(place) {
  const own = (asked += 1), card = $("card");
  if (shown.place) shown.place.remove();
  const told = await SOURCE.at(state.model, period(), place).catch(fail);
  if (!told || own !== asked) return;
  shown.place = outline(place, told.corners).addTo(map);
  card.replaceChildren(...cardOf(place, told));
  card.hidden = false;
  document.body.classList.add("with-card");
  if (!SOURCE.inputs) return;
  const wait = make("p", { class: "note" }, "Reading the inputs at this pixel …");
  card.append(wait);
  const more = await SOURCE.inputs(state.model, period(), place).catch((error) => { wait.textContent = error.message; });
  if (!more || own !== asked) return;
  wait.remove();
  card.append(...inputsOf(more));
}

function outline(place, corners) {
  if (!corners) return L.circleMarker(place, { pane: "place", radius: 6, color: "#1d1d1b", weight: 2, fill: false, interactive: false });
  const cell = L.polygon(corners.map(([x, y]) => [y, x]), { pane: "place", color: "#1d1d1b", weight: 2, fill: false, interactive: false });
  const ring = L.circleMarker(place, { pane: "place", radius: 9, color: "#fff", weight: 3, fill: false, interactive: false });
  const inner = L.circleMarker(place, { pane: "place", radius: 9, color: "#1d1d1b", weight: 1.5, fill: false, interactive: false });
  return L.layerGroup([ring, inner, cell]);
}

function closeCard() {
  asked += 1;
  $("card").hidden = true;
  document.body.classList.remove("with-card");
  if (shown.place) shown.place.remove();
}

function cardOf(place, told) {
  const where = `${Math.abs(place.lat).toFixed(4)}° ${place.lat < 0 ? "S" : "N"}, ${Math.abs(place.lng).toFixed(4)}° ${place.lng < 0 ? "W" : "E"}`;
  const close = make("button", { type: "button", class: "close", "aria-label": "Close", onclick: closeCard }, "×");
  const parts = [close, make("p", { class: "where" }, `${where} · ${period().label}`)];
  const value = told[period().main];
  if (value === null || value === undefined) {
    parts.push(make("p", { class: "big" }, "No value"), make("p", { class: "note" }, told.quality ? `Here: ${told.quality}.` : ""));
  } else if (state.change !== null) {
    parts.push(make("p", { class: "big" }, signed(value), make("small", {}, " g/kg")), ...changeOf(told), verdictOf(told));
  } else {
    parts.push(make("p", { class: "big" }, format(told.organic_carbon), make("small", {}, " g/kg")));
    if (told.lower !== null && told.lower !== undefined) parts.push(...intervalOf(told));
    parts.push(verdictOf(told));
  }
  if (told.preview) parts.push(make("p", { class: "note" }, "Read from a preview: values are those of single cells of the map."));
  if (told.nearest && told.nearest.length) parts.push(...samplesTable("Nearest samples", told.nearest, "km", (row) => format(row.distance_km)));
  return parts;
}

const levelOf = (share) => Number((100 * share).toPrecision(6));

function intervalOf(told) {
  const span = state.model.spans.organic_carbon, reach = Math.max(span[1], told.upper), low = Math.min(span[0], told.lower);
  const at = (value) => `${(100 * (value - low)) / (reach - low)}%`;
  const range = make("i", { class: "range" }), dot = make("i", { class: "dot" });
  range.style.left = at(told.lower);
  range.style.width = `${(100 * (told.upper - told.lower)) / (reach - low)}%`;
  dot.style.left = at(told.organic_carbon);
  const level = period().level ? `${levelOf(period().level)} % prediction` : "Prediction";
  const words = `${level} interval: ${format(told.lower)} to ${format(told.upper)} g/kg`;
  return [make("div", { class: "interval" }, range, dot), make("p", { class: "interval-words" }, words)];
}

function changeOf(told) {
  const known = told.change_lower !== null && told.change_lower !== undefined;
  const words = known ? `${levelOf(period().level)} % interval by the members of the model: ${signed(told.change_lower)} to ${signed(told.change_upper)} g/kg.` : "";
  return [make("p", { class: "interval-words" }, words), make("p", { class: "interval-words" }, `Here: ${told.beyond_uncertainty || "uncertainty unknown"}. It proves no change.`)];
}

function verdictOf(told) {
  const lacking = told.applicable === "no" && told.quality === "too many inputs missing";
  const [kind, title, words] = VERDICTS[lacking ? "lacking" : told.applicable] || VERDICTS.unknown;
  const beside = told.dissimilarity === null || told.dissimilarity === undefined ? null : ` Dissimilarity ${format(told.dissimilarity)}.`;
  return make("div", { class: `verdict ${kind}` }, make("b", {}, title), make("span", {}, words, beside));
}

function samplesTable(title, rows, measure, of) {
  const lines = rows.map((row) => make("tr", { tabindex: 0, onclick: () => map.panTo([row.latitude, row.longitude]) },
    make("td", { title: row.id }, [row.source, row.year].filter(Boolean).join(" ")), make("td", {}, format(row.value)), make("td", {}, of(row))));
  const head = make("tr", {}, make("th", {}, "sample"), make("th", {}, "g/kg"), make("th", {}, measure));
  return [make("h3", {}, title), make("table", {}, make("thead", {}, head), make("tbody", {}, ...lines))];
}

function inputsOf({ inputs, similar }) {
  const parts = [];
  if (similar.length) parts.push(...samplesTable("Most similar samples by their inputs", similar, "difference", (row) => format(row.difference)));
  if (!inputs.length) return parts;
  const bands = new Map();
  for (const each of inputs) bands.set(each.band, [...(bands.get(each.band) || []), each]);
  const rows = [...bands].map(([band, steps]) => {
    const all = steps.map((each) => `${each.step || "static"}: ${format(each.value, 4)}`).join("\n");
    return make("tr", { title: all }, make("td", {}, band), make("td", {}, curve(steps)), make("td", {}, format(steps[0].value, 4)));
  });
  const steps = inputs.filter((each) => each.lag !== null).map((each) => each.step);
  const words = steps.length ? `Values of ${steps[0]}; the curves begin in ${steps[steps.length - 1]}.` : "";
  parts.push(make("h3", {}, "Inputs at this pixel"), make("table", {}, make("tbody", {}, ...rows)), make("p", { class: "note" }, words));
  return parts;
}

// The steps of a band from the oldest to the newest, as a small line; gaps where there is no value.
function curve(steps) {
  const values = steps.map((each) => each.value).reverse(), known = values.filter((value) => value !== null);
  if (values.length < 2 || !known.length) return "";
  const [width, height] = [72, 18], low = Math.min(...known), high = Math.max(...known);
  const at = (value, n) => [3 + (n * (width - 6)) / (values.length - 1), height - 3 - ((value - low) / (high - low || 1)) * (height - 6)];
  let path = "", pen = "M";
  values.forEach((value, n) => {
    if (value === null) { pen = "M"; return; }
    path += `${pen}${at(value, n).map((each) => each.toFixed(1)).join(" ")}`;
    pen = "L";
  });
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const line = document.createElementNS(svg.namespaceURI, "path");
  for (const [name, value] of Object.entries({ width, height, class: "curve", "aria-hidden": "true" })) svg.setAttribute(name, value);
  line.setAttribute("d", path);
  svg.append(line);
  if (values[values.length - 1] !== null) {
    const dot = document.createElementNS(svg.namespaceURI, "circle"), [x, y] = at(values[values.length - 1], values.length - 1);
    for (const [name, value] of Object.entries({ cx: x, cy: y, r: 2.4 })) dot.setAttribute(name, value);
    svg.append(dot);
  }
  return svg;
}

// ---------------------------------------------------------------- lines of longitude and latitude

let gridLines = null;

function drawGrid() {
  const bounds = map.getBounds(), box = $("grid-labels"), size = map.getSize();
  const steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 45];
  const step = steps.find((each) => (bounds.getEast() - bounds.getWest()) / each <= 7) || 45;
  const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
  const lines = [], labels = [];
  const label = (text, style) => { const span = make("span", {}, text); Object.assign(span.style, style); labels.push(span); };
  for (let n = Math.ceil(bounds.getWest() / step); n * step <= bounds.getEast(); n += 1) {
    lines.push([[bounds.getSouth() - 5, n * step], [bounds.getNorth() + 5, n * step]]);
    const x = map.latLngToContainerPoint([bounds.getCenter().lat, n * step]).x;
    if (x < size.x - 90) label(`${Math.abs(n * step).toFixed(digits)}° ${n < 0 ? "W" : "E"}`, { left: `${x + 4}px`, top: "4px" });
  }
  for (let n = Math.ceil(bounds.getSouth() / step); n * step <= bounds.getNorth(); n += 1) {
    lines.push([[n * step, bounds.getWest() - 10], [n * step, bounds.getEast() + 10]]);
    const y = map.latLngToContainerPoint([n * step, bounds.getCenter().lng]).y;
    if (y > 110 && y < size.y - 50) label(`${Math.abs(n * step).toFixed(digits)}° ${n < 0 ? "S" : "N"}`, { right: "6px", top: `${y - 16}px` });
  }
  if (gridLines) gridLines.remove();
  gridLines = L.polyline(lines, { pane: "lines", color: "#3c4a4f", weight: 0.6, opacity: 0.28, interactive: false }).addTo(map);
  box.replaceChildren(...labels);
}

// ---------------------------------------------------------------- beginning

function fillModels() {
  const { models } = state.view;
  $("model").replaceChildren(...models.map((each, n) => make("option", { value: n }, each.title)));
  $("model-row").hidden = models.length < 2;
  const facts = Object.entries(state.model.facts).flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]);
  $("model-facts").replaceChildren(...facts);
}

const CAUTION = "Predictions of a model, not measurements: for decisions about a single field take a sample there.";
const CHANGE_CAUTION = "Difference of two predictions. A static training set cannot prove change: sample places again to know.";

function chooseModel(number) {
  state.model = state.view.models[number];
  state.period = state.model.periods.length - 1;
  fillPeriods();
  fillLayers();
  fillModels();
  $("model").value = number;
  closeCard();
}

// The layers of a change are others than those of a period.
function chooseChange(number) {
  const other = (number === null) !== (state.change === null);
  state.change = number;
  $("change").value = number === null ? "" : number;
  if (other) fillLayers();
  showMap();
  closeCard();
}

function listen() {
  $("period").addEventListener("input", () => { state.period = Number($("period").value); chooseChange(null); });
  $("change").addEventListener("change", () => chooseChange($("change").value === "" ? null : Number($("change").value)));
  $("opacity").addEventListener("input", setOpacity);
  $("raster-opacity").addEventListener("input", setOpacity);
  $("hatched").addEventListener("change", showHatching);
  $("relief").addEventListener("change", showRelief);
  $("compare").addEventListener("change", () => { $("compare-with").hidden = !comparing(); showMap(); });
  $("right-layer").addEventListener("change", () => { state.right.layer = $("right-layer").value; showMap(); });
  $("right-period").addEventListener("change", () => { state.right.period = Number($("right-period").value); showMap(); });
  $("samples").addEventListener("change", () => showSamples().catch(fail));
  $("rasters").addEventListener("change", showRaster);
  $("band").addEventListener("change", () => { fillSteps(); showRaster(); });
  $("step").addEventListener("change", showRaster);
  $("model").addEventListener("change", () => { chooseModel(Number($("model").value)); showMap(); fit(); });
  $("message").addEventListener("click", () => { $("message").hidden = true; });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") closeCard(); });
  $("fold").addEventListener("click", () => {
    const folded = document.body.classList.toggle("folded");
    $("fold").setAttribute("aria-expanded", String(!folded));
  });
}

async function begin() {
  state.view = await SOURCE.view();
  if (window.matchMedia("(max-width: 720px)").matches) $("fold").click();
  $("project").textContent = state.view.project;
  document.title = `Soil organic carbon: ${state.view.project}`;
  $("relief-row").hidden = !state.view.relief;
  $("samples-section").hidden = !SOURCE.samples;
  $("rasters-section").hidden = !state.view.rasters.length;
  $("band").replaceChildren(...state.view.rasters.map((each, n) => make("option", { value: n }, each.title)));
  if (!state.view.models.length) return fail(new Error("There is no map yet: run `soc map`, then load this page again."));
  chooseModel(0);
  makeMap();
  fit();
  if (state.view.rasters.length) fillSteps();
  showRelief();
  showMap();
  drawGrid();
  dragSwipe();
  document.body.classList.add("ready");
}

listen();
begin().catch(fail);
