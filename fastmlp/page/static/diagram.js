// The network: two canvases, lines below and neurons above; which neuron is pointed at or picked, by pointer and by keys.

import { brightness, css, greyPicture, largest, scaleOf, sharp, signedPicture } from "./colours.js";
import { Plane } from "./inputs.js";
import { placed } from "./places.js";

const LEVELS = 14; // of line widths: lines of one level are stroked together
const REPLAY_SECONDS = 1.1; // a layer

export class Diagram {
  constructor(element, model, { onPoint, onPick }) {
    Object.assign(this, { element, model, onPoint, onPick });
    this.lines = element.querySelector("#lines");
    this.neurons = element.querySelector("#neurons");
    this.pointed = this.picked = null; // [layer, neuron], layer 0 being the inputs
    this.byProduct = true;
    this.reveal = Infinity; // layers that a replay has reached
    this.thumbnails = { version: -1, pictures: [] };
    new ResizeObserver(() => this.layOut()).observe(element);
    this.listen();
  }

  layOut() {
    if (!this.model.network || !this.element.clientWidth) return;
    this.places = placed(this.model, this.element.clientWidth, this.element.clientHeight);
    this.thumbnails.version = -1;
    this.render();
  }

  get focus() {
    return this.pointed ?? this.picked;
  }

  // Which neuron

  listen() {
    const { element } = this;
    const find = (event) => {
      const box = element.getBoundingClientRect();
      for (const column of this.places?.columns ?? []) {
        const neuron = column.at(event.clientX - box.left, event.clientY - box.top);
        if (neuron !== null) return [column.layer, neuron];
      }
      return null;
    };
    element.addEventListener("pointermove", (event) => event.pointerType !== "touch" && this.point(find(event)));
    element.addEventListener("pointerleave", () => this.point(null));
    let down = null; // a finger that scrolls is cancelled and never comes up
    element.addEventListener("pointerdown", (event) => (down = event.button ? null : { found: find(event) }));
    element.addEventListener("pointerup", (event) => {
      const found = find(event);
      if (down && same(found, down.found)) this.pick(found && found[0] > 0 ? found : null);
      down = null;
    });
    element.addEventListener("keydown", (event) => this.key(event));
    element.addEventListener("blur", () => this.point(null));
    element.addEventListener("focus", () => element.matches(":focus-visible") && this.point(this.picked ?? [1, 0]));
  }

  point(neuron) {
    if (same(neuron, this.pointed)) return;
    this.pointed = neuron;
    this.onPoint(neuron);
    this.render();
  }

  pick(neuron) {
    this.picked = same(neuron, this.picked) ? null : neuron;
    this.onPick(this.picked);
    this.render();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.places) return;
    const { columns } = this.places;
    const [layer, neuron] = this.pointed ?? this.picked ?? [columns.at(-1).layer, 0];
    const index = columns.findIndex((column) => column.layer === layer);
    const column = columns[index];
    const along = column.across ?? 1;
    const vertical = (by) => (neuron + by >= 0 && neuron + by < column.size ? [layer, neuron + by] : [layer, neuron]);
    const beside = (by) => {
      const other = columns[index + by];
      if (along > 1 && Math.floor((neuron + by) / along) === Math.floor(neuron / along) && neuron + by >= 0 && neuron + by < column.size)
        return [layer, neuron + by];
      if (!other) return [layer, neuron];
      return [other.layer, Math.round((neuron / Math.max(1, column.size - 1)) * (other.size - 1))];
    };
    const moves = {
      ArrowUp: () => vertical(-along), ArrowDown: () => vertical(along), ArrowLeft: () => beside(-1), ArrowRight: () => beside(1),
      Home: () => [layer, 0], End: () => [layer, column.size - 1],
    };
    if (moves[event.key]) this.point(moves[event.key]());
    else if ((event.key === "Enter" || event.key === " ") && layer > 0) this.pick([layer, neuron]);
    else if (event.key === "Escape") this.pick(null);
    else return;
    event.preventDefault();
  }

  // A slow replay, layer by layer

  replay() {
    cancelAnimationFrame(this.frame);
    const began = performance.now(), end = this.model.sizes.length - 1;
    const steps = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const advance = (now) => {
      const reached = (now - began) / 1000 / REPLAY_SECONDS;
      this.reveal = reached >= end ? Infinity : steps ? Math.floor(reached) : reached;
      this.render();
      if (this.reveal < Infinity) this.frame = requestAnimationFrame(advance);
    };
    advance(began);
  }

  // Drawing

  render() {
    if (!this.places || !this.model.network) return;
    this.drawLines();
    this.drawNeurons();
  }

  drawLines() {
    const { context } = sharp(this.lines);
    const { model, places } = this;
    const byLayer = new Map(places.columns.map((column) => [column.layer, column]));
    const found = this.focusedLines() ?? model.lines(this.byProduct);
    this.drawn = found.strengths.length;
    this.total = found.total;
    this.fineness = this.drawn > 450 ? 0.6 : 1; // many lines are finer
    if (model.isBundled) this.drawBundle(context, byLayer.get(1));
    const most = new Map();
    for (let k = 0; k < found.strengths.length; k++) {
      const magnitude = Math.abs(found.strengths[k]);
      if (magnitude < Infinity && magnitude > (most.get(found.layers[k]) ?? 0)) most.set(found.layers[k], magnitude);
    }
    const paths = new Map();
    for (let k = 0; k < found.strengths.length; k++) {
      const layer = found.layers[k], strength = found.strengths[k];
      const shown = Math.min(1, this.reveal - layer);
      const level = Math.round((Math.abs(strength) / (most.get(layer) || 1)) * LEVELS);
      if (!(level > 0) || shown <= 0) continue;
      const from = byLayer.get(layer), to = byLayer.get(layer + 1);
      const [x0, y0] = from.place(found.starts[k]), [x1, y1] = to.place(found.stops[k]);
      const begin = x0 + (from.kind === "circles" ? from.radius : 0), end = x1 - (to.picture ? x1 - to.left : to.kind === "circles" ? to.radius : 0);
      const key = Math.min(level, LEVELS) * (strength > 0 ? 1 : -1);
      if (!paths.has(key)) paths.set(key, new Path2D());
      paths.get(key).moveTo(begin, y0);
      paths.get(key).lineTo(begin + (end - begin) * shown, y0 + (y1 - y0) * shown);
    }
    for (const [key, path] of [...paths].sort(([a], [b]) => Math.abs(a) - Math.abs(b))) this.stroke(context, path, key / LEVELS);
  }

  stroke(context, path, share) {
    const size = Math.abs(share);
    context.strokeStyle = css(share > 0 ? "positive" : "negative", (0.05 + 0.95 * size ** 0.9) * this.fineness);
    context.lineWidth = (0.5 + 3 * size) * this.fineness;
    context.stroke(path);
  }

  drawBundle(context, first) {
    const [x, y] = this.places.source, [shown, sums] = [Math.min(1, this.reveal), this.model.bundle(this.byProduct)];
    if (first.kind !== "circles") {
      context.fillStyle = css("line", 0.16);
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(first.left - 4, first.top);
      context.lineTo(first.left - 4, first.bottom);
      context.fill();
      return;
    }
    const most = largest(sums), focus = this.focus;
    const order = [...sums.keys()].sort((a, b) => Math.abs(sums[a]) - Math.abs(sums[b]));
    for (const neuron of order) {
      if (focus && !(focus[0] === 1 && focus[1] === neuron)) continue;
      const [, y1] = first.place(neuron), x1 = first.left, half = (x + x1) / 2;
      context.save();
      context.beginPath();
      context.rect(0, 0, x + (x1 - x) * shown, this.places.height);
      context.clip();
      const path = new Path2D();
      path.moveTo(x, y);
      path.bezierCurveTo(half, y, half, y1, x1, y1);
      this.stroke(context, path, sums[neuron] / most || 0.001);
      context.restore();
    }
  }

  /** The lines of the neuron in focus alone: all into it, and those out of it that are known. */
  focusedLines() {
    if (!this.focus) return null;
    const { model } = this, [layer, neuron] = this.focus;
    const found = { layers: [], starts: [], stops: [], strengths: [], total: 0 };
    const add = (l, start, stop, weight) => {
      const inputs = this.byProduct ? model.layer(l) : null;
      found.layers.push(l); found.starts.push(start); found.stops.push(stop);
      found.strengths.push(this.byProduct ? (inputs ? weight * inputs[start] : 0) : weight);
    };
    if (layer > (model.isBundled ? 1 : 0)) {
      const weights = model.column(layer - 1, neuron);
      if (weights) weights.forEach((weight, i) => add(layer - 1, i, neuron, weight));
    }
    if (layer < model.sizes.length - 1) {
      if (model.parameters) for (let j = 0; j < model.sizes[layer + 1]; j++) add(layer, neuron, j, model.weight(layer, neuron, j));
      else {
        const all = model.lines(this.byProduct);
        for (let k = 0; k < all.strengths.length; k++) {
          if (all.layers[k] !== layer || all.starts[k] !== neuron) continue;
          found.layers.push(layer); found.starts.push(neuron); found.stops.push(all.stops[k]); found.strengths.push(all.strengths[k]);
        }
      }
    }
    found.total = found.strengths.length;
    return found;
  }

  drawNeurons() {
    const { context } = sharp(this.neurons);
    const { model, places } = this, last = model.sizes.length - 1;
    const winner = model.answer()?.winner ?? -1;
    this.neurons.drawn = []; // what is where, and in what brightness: read by tests
    context.textBaseline = "middle";
    context.font = "12px system-ui, sans-serif";
    for (const column of places.columns) {
      const hidden = column.layer > this.reveal;
      const values = hidden ? null : model.layer(column.layer);
      const activation = column.layer ? model.network.activations[column.layer - 1] : model.network.inputs.kind === "rows" ? "identity" : "identity";
      const scale = values ? scaleOf(activation, values) : 1;
      context.textAlign = "center";
      context.fillStyle = css("muted");
      const narrow = places.width < 520;
      const title = column.layer === 0 ? "inputs" : column.layer === last ? (column.size > 1 ? "outputs" : "output") : narrow ? "hidden" : "hidden neurons";
      context.fillText(`${column.size.toLocaleString("en")} ${title}`, Math.min(column.x, places.width - 44), 11);
      if (column.kind === "circles") this.drawCircles(context, column, values, scale, column.layer === last ? winner : -1);
      else this.drawBlock(context, column, values, scale);
      if (column.layer === last) this.drawNames(context, column, values, winner);
    }
    for (const [neuron, name] of [[this.picked, "positive"], [this.pointed, "positive"]]) this.ring(context, neuron, name);
  }

  drawCircles(context, column, values, scale, winner) {
    const pictures = column.picture ? this.pictures(column) : null;
    for (let neuron = 0; neuron < column.size; neuron++) {
      const [x, y] = column.place(neuron), value = values ? values[neuron] : 0;
      const colour = brightness(value, scale).map(Math.round);
      context.beginPath();
      context.arc(x, y, column.radius, 0, 2 * Math.PI);
      context.fillStyle = `rgb(${colour.join(",")})`;
      context.fill();
      context.lineWidth = neuron === winner ? 3 : 1.2;
      context.strokeStyle = css(neuron === winner ? "ring" : "line");
      context.stroke();
      this.neurons.drawn.push({ layer: column.layer, neuron, x, y, value, colour });
      if (!pictures?.[neuron]) continue;
      const [left, top] = column.pictureAt(neuron);
      context.imageSmoothingEnabled = false;
      context.drawImage(pictures[neuron], left, top, column.picture, column.picture);
      context.lineWidth = 1;
      context.strokeStyle = css("line", 0.7);
      context.strokeRect(left, top, column.picture, column.picture);
    }
  }

  /** The small pictures beside a column: what neurons look for, or their response maps; kept until parameters change. */
  pictures(column) {
    const { model, thumbnails } = this;
    if (thumbnails.version !== model.version) Object.assign(thumbnails, { version: model.version, columns: new Map() });
    if (!thumbnails.columns.has(column.layer)) {
      const { inputs } = model.network;
      const pictures = [];
      for (let neuron = 0; neuron < column.size; neuron++) {
        if (inputs.kind === "plane") pictures.push(Plane.map(model, column.layer, neuron));
        else {
          const weights = model.column(0, neuron);
          pictures.push(weights && signedPicture(weights, inputs.side, inputs.side));
        }
      }
      thumbnails.columns.set(column.layer, pictures);
    }
    return thumbnails.columns.get(column.layer);
  }

  drawBlock(context, column, values, scale) {
    const { across, down, cell, left, top } = column;
    context.imageSmoothingEnabled = false;
    const picture = greyPicture(values ?? new Float32Array(column.size), across, down, scale);
    context.fillStyle = "#000";
    context.drawImage(picture, left, top, cell * across, cell * down);
    if (cell > 4 && column.kind === "block") {
      context.strokeStyle = css("panel");
      context.lineWidth = 1;
      context.beginPath();
      for (let i = 0; i <= across; i++) { context.moveTo(left + i * cell, top); context.lineTo(left + i * cell, top + down * cell); }
      for (let i = 0; i <= down; i++) { context.moveTo(left, top + i * cell); context.lineTo(left + across * cell, top + i * cell); }
      context.stroke();
    }
    context.strokeStyle = css("line");
    context.lineWidth = 1;
    context.strokeRect(left - 1, top - 1, cell * across + 2, cell * down + 2);
    if (column.size <= 1024 && values) {
      for (let neuron = 0; neuron < column.size; neuron++) {
        const [x, y] = column.place(neuron);
        this.neurons.drawn.push({ layer: column.layer, neuron, x, y, value: values[neuron], colour: brightness(values[neuron], scale).map(Math.round) });
      }
    }
  }

  drawNames(context, column, values, winner) {
    if (column.kind !== "circles") return;
    context.textAlign = "left";
    const regression = this.model.network.outputs === "regression", plain = this.model.network.outputs === "classes";
    for (let neuron = 0; neuron < column.size; neuron++) {
      const [x, y] = column.place(neuron), left = x + column.radius + 8;
      const name = this.model.outputName(neuron);
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

  ring(context, neuron, name) {
    const column = neuron && this.places.columns.find(({ layer }) => layer === neuron[0]);
    if (!column || neuron[1] >= column.size) return;
    const [x, y] = column.place(neuron[1]);
    context.strokeStyle = css(name);
    context.lineWidth = 2.5;
    if (column.kind === "circles") {
      context.beginPath();
      context.arc(x, y, column.radius + 3, 0, 2 * Math.PI);
      context.stroke();
    } else context.strokeRect(x - column.cell / 2 - 2, y - column.cell / 2 - 2, column.cell + 4, column.cell + 4);
  }
}

const same = (a, b) => a?.[0] === b?.[0] && a?.[1] === b?.[1];
