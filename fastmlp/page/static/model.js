// What this tab knows of the network: layers, parameters, activations of its own drawing, and the state of training.

import { precise } from "./numerals.js";

const MOST_LINES = 900;

export class Model {
  network = null; // what the server describes: layer_sizes, activations, inputs, outputs, ...
  status = null;
  parameters = null; // all of them, or null for large networks, of which only what is drawn travels
  activations = null; // of every layer, one after the other
  sequence = 0; // of the input that they are of
  maps = null;
  version = -1;
  columns = new Map(); // of large networks: neurons asked for, by "layer/neuron"

  /** Take over the activations of an input, unless they are of one before: an update waits for its turn to be drawn. */
  takeActivations({ sequence, activations }) {
    if (sequence < this.sequence) return;
    Object.assign(this, { sequence, activations });
  }

  /** Take over an update; what it does not hold stays as it was. */
  update(message) {
    if (message.network) {
      this.network = message.network;
      this.parameters = this.activations = this.maps = this.served = this.first = null;
      this.columns.clear();
      this.places();
    }
    Object.assign(this, { status: message.status, structure: message.structure });
    if (message.version !== this.version) this.columns.clear();
    this.version = message.version;
    if (message.parameters) this.parameters = message.parameters;
    if (message.first_weights) this.first = message.first_weights;
    if (message.activations) this.takeActivations(message);
    if (message.maps) this.maps = message.maps;
    if (message.line_layers) {
      this.served = {
        layers: message.line_layers,
        starts: message.line_starts,
        stops: message.line_stops,
        strengths: message.line_strengths,
      };
    }
  }

  places() {
    const sizes = this.network.layer_sizes;
    this.activationStarts = [];
    sizes.reduce((start, size) => (this.activationStarts.push(start), start + size), 0);
    this.weightStarts = [];
    let start = 0;
    for (let layer = 0; layer + 1 < sizes.length; layer++) {
      this.weightStarts.push(start);
      start += (sizes[layer] + 1) * sizes[layer + 1];
    }
  }

  get sizes() {
    return this.network.layer_sizes;
  }

  /** Whether a number is finite also in the network's type: the server takes no others. */
  holds(value) {
    return Number.isFinite(this.network.dtype === "float32" ? Math.fround(value) : value);
  }

  /** A layer's activations (0: the inputs as the network takes them), or null before the first answer. */
  layer(layer) {
    if (!this.activations) return null;
    const start = this.activationStarts[layer];
    return this.activations.subarray(start, start + this.sizes[layer]);
  }

  bias(layer, neuron) {
    if (!this.parameters) return this.columns.get(`${layer}/${neuron}`)?.bias[0] ?? null;
    return this.parameters[this.weightStarts[layer] + this.sizes[layer] * this.sizes[layer + 1] + neuron];
  }

  weight(layer, input, neuron) {
    return this.parameters[this.weightStarts[layer] + input * this.sizes[layer + 1] + neuron];
  }

  /** A neuron's weights, or null while they are not known. layer counts from 0, the first hidden one. */
  column(layer, neuron) {
    const count = this.sizes[layer],
      stride = this.sizes[layer + 1];
    const source = this.parameters
      ? this.parameters.subarray(this.weightStarts[layer])
      : layer === 0
        ? this.first
        : null;
    if (!source) return this.columns.get(`${layer}/${neuron}`)?.weights ?? null;
    const column = new source.constructor(count);
    for (let i = 0; i < count; i++) column[i] = source[i * stride + neuron];
    return column;
  }

  /** A parameter as it is after a knob was turned here, before the server says so. */
  set(layer, input, neuron, value) {
    if (this.parameters) {
      const start = this.weightStarts[layer];
      this.parameters[
        input < 0
          ? start + this.sizes[layer] * this.sizes[layer + 1] + neuron
          : start + input * this.sizes[layer + 1] + neuron
      ] = value;
      return;
    }
    const known = this.columns.get(`${layer}/${neuron}`);
    if (known && input < 0) known.bias[0] = value;
    else if (known) known.weights[input] = value;
  }

  /** {for, against, bias, z, a} of a neuron for the present drawing, or null while something of it is not known. */
  sum(layer, neuron) {
    const weights = this.column(layer, neuron),
      inputs = this.layer(layer),
      bias = this.bias(layer, neuron);
    if (!weights || !inputs || bias === null) return null;
    let positive = 0,
      negative = 0;
    for (let i = 0; i < weights.length; i++) {
      const product = weights[i] * inputs[i];
      if (product > 0) positive += product;
      else negative += product;
    }
    return { for: positive, against: negative, bias, z: positive + negative + bias, a: this.layer(layer + 1)[neuron] };
  }

  /** Whether the weights into the first layer are drawn as one curve a neuron. */
  get isBundled() {
    return this.network.inputs.kind === "pad" || this.network.inputs.kind === "rows" || this.sizes[0] > 24;
  }

  /** Whether lines, or the curves from the inputs, follow the drawing at once; else the server sends them later. */
  get knowsLines() {
    return Boolean(this.parameters ?? this.first);
  }

  /** The lines to draw, at most 900: {layers, starts, stops, strengths, total}. */
  lines(byProduct) {
    const first = this.isBundled ? 1 : 0;
    let total = 0;
    for (let layer = first; layer + 1 < this.sizes.length; layer++) total += this.sizes[layer] * this.sizes[layer + 1];
    if (!this.parameters) return { ...(this.served ?? empty()), total };
    const layers = [],
      starts = [],
      stops = [],
      strengths = [];
    const share = total > MOST_LINES ? Math.floor(MOST_LINES / (this.sizes.length - 1 - first)) : Infinity;
    for (let layer = first; layer + 1 < this.sizes.length; layer++) {
      const n = this.sizes[layer],
        m = this.sizes[layer + 1],
        start = this.weightStarts[layer];
      const inputs = byProduct ? this.layer(layer) : null;
      const all = new Float32Array(n * m);
      for (let i = 0, k = 0; i < n; i++) {
        const factor = byProduct ? (inputs ? inputs[i] : 0) : 1;
        for (let j = 0; j < m; j++, k++) all[k] = this.parameters[start + k] * factor;
      }
      const least = share < all.length ? threshold(all, share) : -1;
      for (let k = 0; k < all.length; k++) {
        if (Math.abs(all[k]) > least || all[k] !== all[k]) {
          layers.push(layer);
          starts.push((k / m) | 0);
          stops.push(k % m);
          strengths.push(all[k]);
        }
      }
    }
    return { layers, starts, stops, strengths, total };
  }

  /** The sum of weights times inputs of each neuron of the first layer; by weight alone, the sum of the weights. */
  bundle(byProduct) {
    const n = this.sizes[0],
      m = this.sizes[1],
      source = this.parameters ?? this.first,
      inputs = this.layer(0);
    const sums = new Float64Array(m);
    if (!source || (byProduct && !inputs)) return sums;
    for (let i = 0; i < n; i++) {
      const factor = byProduct ? inputs[i] : 1;
      if (factor) for (let j = 0; j < m; j++) sums[j] += source[i * m + j] * factor;
    }
    return sums;
  }

  outputName(index) {
    const kind = this.network.outputs;
    return kind === "classes"
      ? String(index)
      : kind === "binary"
        ? "yes"
        : kind === "labels"
          ? `label ${index}`
          : `output ${index}`;
  }

  /** The answer in words, and the outputs that say it: {short, long, winners}. */
  answer() {
    const outputs = this.layer(this.sizes.length - 1),
      kind = this.network.outputs;
    if (!outputs) return null;
    if (outputs.some(Number.isNaN)) return { short: "NaN", long: "no number any more", winners: [] };
    const share = (value) => `${(100 * value).toFixed(0)}%`;
    if (kind === "binary") {
      const yes = outputs[0] > 0.5;
      return { short: yes ? "1: yes" : "0: no", long: `${share(outputs[0])} for yes`, winners: yes ? [0] : [] };
    }
    if (kind === "labels") {
      const on = [...outputs.keys()].filter((i) => outputs[i] > 0.5);
      return { short: on.length ? on.map((i) => `label ${i}`).join(", ") : "no label", long: "above 50%", winners: on };
    }
    if (kind === "regression") {
      return {
        short: [...outputs]
          .slice(0, 6)
          .map((value) => precise(value, 4))
          .join("  "),
        long: outputs.length > 1 ? "outputs" : "output",
        winners: [],
      };
    }
    const order = [...outputs.keys()].sort((a, b) => outputs[b] - outputs[a] || a - b);
    const last = this.network.activations.at(-1);
    const say = (i) => (last === "softmax" || last === "sigmoid" ? share(outputs[i]) : precise(outputs[i], 3));
    const lit = last === "sigmoid" ? " lit" : "";
    return {
      short: String(order[0]),
      long: `${say(order[0])}${lit}; then ${order[1]} with ${say(order[1])}`,
      winners: [order[0]],
    };
  }
}

function empty() {
  return { layers: [], starts: [], stops: [], strengths: [] };
}

/** A magnitude that about count of the numbers exceed, and never more: found in a histogram. */
function threshold(numbers, count) {
  let most = 0;
  for (const value of numbers) if (Math.abs(value) > most) most = Math.abs(value);
  if (!(most > 0) || most === Infinity) return most;
  const bins = new Uint32Array(1025);
  for (const value of numbers) bins[Math.ceil((Math.abs(value) / most) * 1024)]++;
  let bin = 1024,
    found = 0;
  while (bin > 0 && found + bins[bin] <= count) found += bins[bin--];
  return (bin / 1024) * most;
}
