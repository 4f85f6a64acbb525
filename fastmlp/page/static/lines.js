// The lines of the network: for and against, as wide as they are strong; all of them, or those of the neuron in focus.

import { css, largest, sharp } from "./colours.js";

const LEVELS = 14; // of line widths: lines of one level are stroked together
const MOST_WIDE = 450; // more lines are hairlines, which cover less of each other and take a fifth of the time

export function drawLines(diagram) {
  const { context } = sharp(diagram.lines);
  const { model, places } = diagram;
  const byLayer = new Map(places.columns.map((column) => [column.layer, column]));
  const found = focusedLines(diagram) ?? model.lines(diagram.byProduct);
  diagram.drawn = found.strengths.length;
  diagram.total = found.total;
  diagram.isFine = diagram.drawn > MOST_WIDE;
  if (model.isBundled) drawBundle(diagram, context, byLayer.get(1));
  const most = new Map();
  for (let k = 0; k < found.strengths.length; k++) {
    const magnitude = Math.abs(found.strengths[k]);
    if (magnitude < Infinity && magnitude > (most.get(found.layers[k]) ?? 0)) most.set(found.layers[k], magnitude);
  }
  const paths = new Map();
  for (let k = 0; k < found.strengths.length; k++) {
    const layer = found.layers[k],
      strength = found.strengths[k];
    const shown = Math.min(1, diagram.reveal - layer);
    const level = Math.round((Math.abs(strength) / (most.get(layer) || 1)) * LEVELS);
    if (!(level > 0) || shown <= 0) continue;
    const from = byLayer.get(layer),
      to = byLayer.get(layer + 1);
    const [x0, y0] = from.place(found.starts[k]),
      [x1, y1] = to.place(found.stops[k]);
    const begin = x0 + (from.kind === "circles" ? from.radius : 0),
      end = x1 - (to.picture ? x1 - to.left : to.kind === "circles" ? to.radius : 0);
    const key = Math.min(level, LEVELS) * (strength > 0 ? 1 : -1);
    if (!paths.has(key)) paths.set(key, new Path2D());
    paths.get(key).moveTo(begin, y0);
    paths.get(key).lineTo(begin + (end - begin) * shown, y0 + (y1 - y0) * shown);
  }
  for (const [key, path] of [...paths].sort(([a], [b]) => Math.abs(a) - Math.abs(b)))
    stroke(diagram, context, path, key / LEVELS);
}

function stroke(diagram, context, path, share) {
  const size = Math.abs(share);
  const opacity = (0.05 + 0.95 * size ** 0.9) * (diagram.isFine ? 0.6 : 1);
  context.strokeStyle = css(share > 0 ? "positive" : "negative", opacity);
  context.lineWidth = diagram.isFine ? Math.min(1, 0.4 + size) : 0.5 + 3 * size;
  context.stroke(path);
}

function drawBundle(diagram, context, first) {
  const [x, y] = diagram.places.source,
    [shown, sums] = [Math.min(1, diagram.reveal), diagram.model.bundle(diagram.byProduct)];
  if (first.kind !== "circles") {
    context.fillStyle = css("line", 0.16);
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(first.left - 4, first.top);
    context.lineTo(first.left - 4, first.bottom);
    context.fill();
    return;
  }
  const most = largest(sums),
    focus = diagram.focus;
  const order = [...sums.keys()].sort((a, b) => Math.abs(sums[a]) - Math.abs(sums[b]));
  for (const neuron of order) {
    if (focus && !(focus[0] === 1 && focus[1] === neuron)) continue;
    const [, y1] = first.place(neuron),
      x1 = first.left,
      half = (x + x1) / 2;
    context.save();
    context.beginPath();
    context.rect(0, 0, x + (x1 - x) * shown, diagram.places.height);
    context.clip();
    const path = new Path2D();
    path.moveTo(x, y);
    path.bezierCurveTo(half, y, half, y1, x1, y1);
    stroke(diagram, context, path, sums[neuron] / most || 0.001);
    context.restore();
  }
}

/** The lines of the neuron in focus alone: all into it, and those out of it that are known. */
function focusedLines(diagram) {
  if (!diagram.focus) return null;
  const { model } = diagram,
    [layer, neuron] = diagram.focus;
  const found = { layers: [], starts: [], stops: [], strengths: [], total: 0 };
  const add = (l, start, stop, weight) => {
    const inputs = diagram.byProduct ? model.layer(l) : null;
    found.layers.push(l);
    found.starts.push(start);
    found.stops.push(stop);
    found.strengths.push(diagram.byProduct ? (inputs ? weight * inputs[start] : 0) : weight);
  };
  if (layer > (model.isBundled ? 1 : 0)) {
    const weights = model.column(layer - 1, neuron);
    if (weights) weights.forEach((weight, i) => add(layer - 1, i, neuron, weight));
  }
  if (layer < model.sizes.length - 1) {
    if (model.parameters)
      for (let j = 0; j < model.sizes[layer + 1]; j++) add(layer, neuron, j, model.weight(layer, neuron, j));
    else {
      const all = model.lines(diagram.byProduct);
      for (let k = 0; k < all.strengths.length; k++) {
        if (all.layers[k] !== layer || all.starts[k] !== neuron) continue;
        found.layers.push(layer);
        found.starts.push(neuron);
        found.stops.push(all.stops[k]);
        found.strengths.push(all.strengths[k]);
      }
    }
  }
  found.total = found.strengths.length;
  return found;
}
