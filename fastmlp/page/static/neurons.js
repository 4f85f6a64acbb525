// The neurons of the network: circles with small pictures beside them, or blocks of squares, and the outputs' names.

import { brightness, css, greyPicture, largest, scaleOf, sharp, signedPicture } from "./colours.js";
import { MAP_SIDE, Plane } from "./inputs.js";
import { fixed, precise } from "./numerals.js";

export function drawNeurons(diagram) {
  const { context } = sharp(diagram.neurons);
  const { model, places } = diagram,
    last = model.sizes.length - 1;
  const winners = model.answer()?.winners ?? [];
  diagram.neurons.drawn = []; // what is where, and in what brightness: read by tests
  context.textBaseline = "middle";
  context.font = "12px system-ui, sans-serif";
  for (const column of places.columns) {
    const hidden = column.layer > diagram.reveal;
    const values = hidden ? null : model.layer(column.layer);
    const activation = column.layer ? model.network.activations[column.layer - 1] : "identity";
    const scale = values ? scaleOf(activation, values) : 1;
    context.textAlign = "center";
    context.fillStyle = css("muted");
    context.fillText(titleOf(column, last, places.step), Math.min(column.x, places.width - 44), 11);
    if (column.kind === "circles")
      drawCircles(diagram, context, column, values, scale, column.layer === last ? winners : []);
    else {
      drawBlock(diagram, context, column, values, scale);
      if (column.layer === last) for (const neuron of winners) ring(diagram, context, [last, neuron], "ring");
    }
    if (column.layer === last) drawNames(diagram, context, column, values, winners);
  }
  for (const neuron of [diagram.picked, diagram.pointed]) ring(diagram, context, neuron, "positive");
}

/** What stands above a column, as long as the step to the next one allows. */
function titleOf({ layer, size }, last, step) {
  const count = size.toLocaleString("en");
  if (step > 0 && step < 50) return count;
  if (layer === 0) return `${count} inputs`;
  if (layer === last) return size > 1 ? `${count} outputs` : "1 output";
  return step < 72 ? count : step < 130 ? `${count} hidden` : `${count} hidden neurons`;
}

function drawCircles(diagram, context, column, values, scale, winners) {
  const beside = column.picture ? pictures(diagram, column) : null;
  for (let neuron = 0; neuron < column.size; neuron++) {
    const [x, y] = column.place(neuron),
      value = values ? values[neuron] : 0;
    const colour = brightness(value, scale).map(Math.round);
    context.beginPath();
    context.arc(x, y, column.radius, 0, 2 * Math.PI);
    context.fillStyle = `rgb(${colour.join(",")})`;
    context.fill();
    const wins = winners.includes(neuron);
    context.lineWidth = wins ? 3 : 1.2;
    context.strokeStyle = css(wins ? "ring" : "line");
    context.stroke();
    const drawn = { layer: column.layer, neuron, x, y, value, colour };
    diagram.neurons.drawn.push(drawn);
    if (!beside) continue;
    const [left, top] = column.pictureAt(neuron),
      { image, side } = beside;
    drawn.picture = [left, top, column.picture];
    context.imageSmoothingEnabled = false;
    context.drawImage(image, 0, neuron * side, side, side, left, top, column.picture, column.picture);
    context.lineWidth = 1;
    context.strokeStyle = css("line", 0.7);
    context.strokeRect(left, top, column.picture, column.picture);
  }
}

/** The small pictures beside a column, one below the other: what neurons look for, or their response maps; null before they are
 * known. They are kept until parameters change. */
function pictures(diagram, column) {
  const { model, thumbnails } = diagram;
  if (thumbnails.version !== model.version) Object.assign(thumbnails, { version: model.version, columns: new Map() });
  if (!thumbnails.columns.has(column.layer)) {
    const isPlane = model.network.inputs.kind === "plane",
      side = isPlane ? MAP_SIDE : model.network.inputs.side;
    const numbers = new Float32Array(column.size * side * side);
    let known = true;
    for (let neuron = 0; neuron < column.size && known; neuron++) {
      const found = isPlane ? Plane.map(model, column.layer, neuron) : model.column(0, neuron);
      known = Boolean(found);
      const scale = isPlane || !known ? 1 : largest(found);
      if (known) numbers.set(found.map((value) => value / scale), neuron * side * side);
    }
    const image = known && (isPlane ? greyPicture : signedPicture)(numbers, side, side * column.size, 1);
    thumbnails.columns.set(column.layer, known ? { image, side } : null);
  }
  return thumbnails.columns.get(column.layer);
}

function drawBlock(diagram, context, column, values, scale) {
  const { across, down, cell, left, top } = column;
  context.imageSmoothingEnabled = false;
  const picture = greyPicture(values ?? new Float32Array(column.size), across, down, scale);
  context.fillStyle = "#000";
  context.drawImage(picture, left, top, cell * across, cell * down);
  const [right, bottom, end] = [left + across * cell, top + down * cell, left + (column.size - across * (down - 1)) * cell];
  context.strokeStyle = css("line", 0.5);
  context.lineWidth = 0.5;
  context.beginPath();
  if (cell > 4 && column.kind === "block") {
    for (let x = left + cell, i = 1; i < across; i++, x += cell) {
      context.moveTo(x, top);
      context.lineTo(x, x > end + cell / 2 ? bottom - cell : bottom);
    }
    for (let y = top + cell, i = 1; i < down; i++, y += cell) {
      context.moveTo(left, y);
      context.lineTo(right, y);
    }
    context.stroke();
  }
  context.strokeStyle = css("line");
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(left, top); // around all of them: the last row may be a part of one
  context.lineTo(right, top);
  context.lineTo(right, bottom - cell);
  context.lineTo(end, bottom - cell);
  context.lineTo(end, bottom);
  context.lineTo(left, bottom);
  context.closePath();
  context.stroke();
  if (column.size <= 1024 && values) {
    for (let neuron = 0; neuron < column.size; neuron++) {
      const [x, y] = column.place(neuron);
      diagram.neurons.drawn.push({
        layer: column.layer,
        neuron,
        x,
        y,
        value: values[neuron],
        colour: brightness(values[neuron], scale).map(Math.round),
      });
    }
  }
}

function drawNames(diagram, context, column, values, winners) {
  if (column.kind !== "circles") return;
  context.textAlign = "left";
  const regression = diagram.model.network.outputs === "regression",
    plain = diagram.model.network.outputs === "classes";
  for (let neuron = 0; neuron < column.size; neuron++) {
    const [x, y] = column.place(neuron),
      left = x + column.radius + 8;
    const name = diagram.model.outputName(neuron),
      wins = winners.includes(neuron);
    context.font = `${wins ? "700" : "400"} ${plain ? 14 : 11}px system-ui, sans-serif`;
    context.fillStyle = css(wins ? "highlight" : "text");
    const value = values ? (regression ? precise(values[neuron], 3) : fixed(values[neuron], 2)) : "";
    if (!plain) {
      context.fillText(name, left, y - 7);
      context.fillText(value, left, y + 7);
      continue;
    }
    context.fillText(name, left, y);
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = css("muted");
    context.fillText(value, left + 8 + 9 * name.length, y + 0.5);
  }
  context.font = "12px system-ui, sans-serif";
}

function ring(diagram, context, neuron, colour) {
  const column = neuron && diagram.places.columns.find(({ layer }) => layer === neuron[0]);
  if (!column || neuron[1] >= column.size) return;
  const [x, y] = column.place(neuron[1]);
  context.strokeStyle = css(colour);
  context.lineWidth = 2.5;
  if (column.kind === "circles") {
    context.beginPath();
    context.arc(x, y, column.radius + 3, 0, 2 * Math.PI);
    context.stroke();
  } else context.strokeRect(x - column.cell / 2 - 2, y - column.cell / 2 - 2, column.cell + 4, column.cell + 4);
}
