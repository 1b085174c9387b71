"use strict";
// Where the page gets everything from while `soc view` runs: the server that it came from, and nobody else.

const SOURCE = (() => {
  const MOST_ZOOM = 17;

  async function ask(path, query) {
    const words = query ? "?" + new URLSearchParams(query) : "";
    const answer = await fetch("api/" + path + words);
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(told.error || `The server failed (${answer.status}): see the terminal of soc view.`);
    return told;
  }

  function tiles(path, pane, options) {
    return L.tileLayer(`tiles/${path}/{z}/{x}/{y}.png`, { pane, maxZoom: MOST_ZOOM, keepBuffer: 3, ...options });
  }

  const reach = ({ bounds: [west, south, east, north] }) => L.latLngBounds([south, west], [north, east]);
  const named = (...parts) => parts.map(encodeURIComponent).join("/");

  return {
    view: () => ask("view"),
    mapLayer: (model, period, key, pane) => tiles("map/" + named(model.id, period.id, key, period.stamp), pane, { bounds: reach(model) }),
    rasterLayer: (key, pane) => tiles("raster/" + named(key), pane),
    reliefLayer: (key, pane) => tiles("relief/" + named(key), pane),
    at: (model, period, place) => ask("at", { model: model.id, period: period.id, longitude: place.lng, latitude: place.lat }),
    inputs: (model, period, place) => ask("inputs", { model: model.id, period: period.id, longitude: place.lng, latitude: place.lat }),
    samples: (model, period) => ask("samples", { model: model.id, period: period.id }),
    card: (model, period) => `card/${named(model.id, period.id)}.md`,
    zoom: MOST_ZOOM,
  };
})();
