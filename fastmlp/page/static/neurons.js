// The neurons of the network: circles with small pictures beside them, or blocks of squares, and the outputs' names.

import { brightness, css, greyPicture, largest, scaleOf, sharp, signedPicture } from "./colours.js";
import { MAP_SIDE, Plane } from "./inputs.js";

export function drawNeurons(diagram) {
  const { context } = sharp(diagram.neurons);
  const { model, places } = diagram,
    last = model.sizes.length - 1;
  const winner = model.answer()?.winner ?? -1;
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
    const narrow = places.width < 520;
    const title =
      column.layer === 0
        ? "inputs"
        : column.layer === last
          ? column.size > 1
            ? "outputs"
            : "output"
          : narrow
            ? "hidden"
            : "hidden neurons";
    context.fillText(`${column.size.toLocaleString("en")} ${title}`, Math.min(column.x, places.width - 44), 11);
    if (column.kind === "circles")
      drawCircles(diagram, context, column, values, scale, column.layer === last ? winner : -1);
    else drawBlock(diagram, context, column, values, scale);
    if (column.layer === last) drawNames(diagram, context, column, values, winner);
  }
  for (const neuron of [diagram.picked, diagram.pointed]) ring(diagram, context, neuron);
}

function drawCircles(diagram, context, column, values, scale, winner) {
  const beside = column.picture ? pictures(diagram, column) : null;
  for (let neuron = 0; neuron < column.size; neuron++) {
    const [x, y] = column.place(neuron),
      value = values ? values[neuron] : 0;
    const colour = brightness(value, scale).map(Math.round);
    context.beginPath();
    context.arc(x, y, column.radius, 0, 2 * Math.PI);
    context.fillStyle = `rgb(${colour.join(",")})`;
    context.fill();
    context.lineWidth = neuron === winner ? 3 : 1.2;
    context.strokeStyle = css(neuron === winner ? "ring" : "line");
    context.stroke();
    diagram.neurons.drawn.push({ layer: column.layer, neuron, x, y, value, colour });
    if (!beside) continue;
    const [left, top] = column.pictureAt(neuron),
      { image, side } = beside;
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
  if (cell > 4 && column.kind === "block") {
    context.strokeStyle = css("panel");
    context.lineWidth = 1;
    context.beginPath();
    for (let i = 0; i <= across; i++) {
      context.moveTo(left + i * cell, top);
      context.lineTo(left + i * cell, top + down * cell);
    }
    for (let i = 0; i <= down; i++) {
      context.moveTo(left, top + i * cell);
      context.lineTo(left + across * cell, top + i * cell);
    }
    context.stroke();
  }
  context.strokeStyle = css("line");
  context.lineWidth = 1;
  context.strokeRect(left - 1, top - 1, cell * across + 2, cell * down + 2);
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

function drawNames(diagram, context, column, values, winner) {
  if (column.kind !== "circles") return;
  context.textAlign = "left";
  const regression = diagram.model.network.outputs === "regression",
    plain = diagram.model.network.outputs === "classes";
  for (let neuron = 0; neuron < column.size; neuron++) {
    const [x, y] = column.place(neuron),
      left = x + column.radius + 8;
    const name = diagram.model.outputName(neuron);
    context.font = `${neuron === winner ? "700" : "400"} ${plain ? 14 : 11}px system-ui, sans-serif`;
    context.fillStyle = css(neuron === winner ? "highlight" : "text");
    const value = values ? (regression ? values[neuron].toPrecision(3) : values[neuron].toFixed(2)) : "";
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

function ring(diagram, context, neuron) {
  const column = neuron && diagram.places.columns.find(({ layer }) => layer === neuron[0]);
  if (!column || neuron[1] >= column.size) return;
  const [x, y] = column.place(neuron[1]);
  context.strokeStyle = css("positive");
  context.lineWidth = 2.5;
  if (column.kind === "circles") {
    context.beginPath();
    context.arc(x, y, column.radius + 3, 0, 2 * Math.PI);
    context.stroke();
  } else context.strokeRect(x - column.cell / 2 - 2, y - column.cell / 2 - 2, column.cell + 4, column.cell + 4);
}
