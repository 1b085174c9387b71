"use strict";
// Where the page gets everything from in an exported file: the file itself, at the resolution of a preview.
/* global L */

const SOURCE = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { left, top, pixel, height, width } = data.tile;
  const rasters = {};
  const corner = (x, y) => L.Projection.SphericalMercator.unproject(L.point(x, y));
  const bounds = () => L.latLngBounds(corner(left, top - height * pixel), corner(left + width * pixel, top));

  // Numbers were written as differences to the one before, all low bytes before all high ones, and compressed.
  async function unpack({ packed, low, step }) {
    const bytes = Uint8Array.from(atob(packed), (each) => each.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const plain = new Uint8Array(await new Response(stream).arrayBuffer());
    const count = plain.length / 2, values = new Float32Array(count);
    let number = 0;
    for (let n = 0; n < count; n += 1) {
      number = (number + plain[n] + 256 * plain[count + n]) & 0xffff;
      values[n] = number ? low + (number - 1) * step : NaN;
    }
    return values;
  }

  async function view() {
    for (const [name, raster] of Object.entries(data.rasters)) rasters[name] = await unpack(raster);
    return data.view;
  }

  const raster = (model, period, key) => rasters[`${model.id}/${period.id}/${key}`];

  function values(model, period, key) {
    const ends = { width: ["lower", "upper"], change_width: ["change_lower", "change_upper"] }[key];
    if (!ends) return raster(model, period, key);
    const [low, high] = ends.map((name) => raster(model, period, name));
    return high.map((value, n) => value - low[n]);
  }

  const rgb = (hex) => [1, 3, 5].map((n) => parseInt(hex.slice(n, n + 2), 16));

  function painter(model, key) {
    const layer = data.view.layers.find((each) => each.key === key);
    if (layer.classes) return (value) => rgb(layer.classes[value].colour);
    const colours = layer.colours.map(rgb), [low, high] = model.spans[key], last = colours.length - 1;
    return (value) => {
      const at = last * Math.min(1, Math.max(0, (value - low) / (high - low))), n = Math.min(last - 1, Math.floor(at));
      return colours[n].map((each, channel) => each + (at - n) * (colours[n + 1][channel] - each));
    };
  }

  function picture(model, period, key) {
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d"), image = context.createImageData(width, height);
    const hatched = key === "hatched", numbers = values(model, period, hatched ? "quality" : key);
    const paint = hatched ? () => [58, 44, 36] : painter(model, key), main = raster(model, period, period.main);
    const marked = (value, n) => (value === 1 || value === 3) && !Number.isNaN(main[n]) && (Math.floor(n / width) + (n % width)) % 8 < 2;
    numbers.forEach((value, n) => {
      if (Number.isNaN(value) || (hatched && !marked(value, n))) return;
      const [red, green, blue] = paint(value);
      image.data.set([red, green, blue, hatched ? 150 : 255], 4 * n);
    });
    context.putImageData(image, 0, 0);
    return canvas.toDataURL("image/png");
  }

  async function at(model, period, place) {
    const { x, y } = L.Projection.SphericalMercator.project(place);
    const column = Math.floor((x - left) / pixel), row = Math.floor((top - y) / pixel);
    const inside = column >= 0 && column < width && row >= 0 && row < height, told = { preview: true };
    for (const key of ["organic_carbon", "lower", "upper", "dissimilarity", "change", "change_lower", "change_upper", "beyond_uncertainty", "quality"]) {
      const of = raster(model, period, key), value = inside && of ? of[row * width + column] : NaN;
      told[key] = Number.isNaN(value) ? null : value;
    }
    const number = told.quality, words = (key) => data.view.layers.find((each) => each.key === key).classes[told[key]].label;
    told.applicable = { 0: "yes", 1: "no", 3: "no" }[number] || "unknown";
    told.quality = number === null ? "outside the map" : words("quality");
    told.beyond_uncertainty = told.beyond_uncertainty === null ? null : words("beyond_uncertainty");
    return told;
  }

  const overlay = (url, pane) => L.imageOverlay(url, bounds(), { pane, className: "overlay", interactive: false });

  return {
    view,
    mapLayer: (model, period, key, pane) => overlay(picture(model, period, key), pane),
    reliefLayer: (key, pane) => overlay(key, pane),
    at,
    inputs: null,
    card: null,
    samples: data.samples ? async () => data.samples : null,
    zoom: 14,
  };
})();
