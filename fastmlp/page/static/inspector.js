// The neuron that was picked: its weights large, its sum in words, and its knobs.

import { css, largest, sharp, signedPicture } from "./colours.js";
import { fixed, signed } from "./numerals.js";

const MOST_CHARACTERS = 9; // of a number field

export class Inspector {
  constructor(model, { turn, scale, onChange }) {
    Object.assign(this, { model, turn, onChange, picked: null, chosen: 0 });
    this.gesture = Math.floor(Math.random() * 2 ** 52); // and counted from there: no other tab has the same
    const ids = ["title", "hint", "body"].map((part) => document.getElementById(`neuron-${part}`));
    [this.title, this.hint, this.body] = ids;
    for (const id of [
      "weights",
      "sum",
      "bias",
      "bias-number",
      "weight",
      "weight-number",
      "weight-label",
      "paint",
      "paint-value",
      "factor",
      "painting",
    ])
      this[id.replace(/-(.)/, (_, letter) => letter.toUpperCase())] = document.getElementById(id);
    this.bindKnob(this.bias, this.biasNumber, () => -1);
    this.bindKnob(this.weight, this.weightNumber, () => this.chosen);
    document.getElementById("zero").onclick = () => scale(...this.picked, 0);
    document.getElementById("flip").onclick = () => scale(...this.picked, -1);
    document.getElementById("scale").onclick = () => {
      const factor = this.read(this.factor);
      if (factor !== null) scale(...this.picked, factor);
    };
    this.paint.onchange = () => this.weights.classList.toggle("painting", this.paint.checked);
    this.listen();
  }

  /** A slider's way is one gesture, and so one step of undo; a number is one as well. */
  bindKnob(slider, number, input) {
    const { model } = this;
    slider.addEventListener("pointerdown", () => this.gesture++);
    slider.addEventListener("keydown", () => this.gesture++);
    slider.addEventListener("input", () => this.set([input()], [slider.valueAsNumber], slider));
    number.addEventListener("change", () => {
      this.gesture++;
      if (model.holds(number.valueAsNumber)) this.set([input()], [number.valueAsNumber]);
      else this.render();
    });
  }

  set(inputs, values, source) {
    if (!this.picked) return; // another network has come under the hand
    const [layer, neuron] = this.picked;
    inputs.forEach((input, k) => this.model.set(layer, input, neuron, values[k]));
    this.turn(layer, neuron, inputs, values, this.gesture);
    this.onChange();
    this.render(source);
  }

  /** The number in a field; null, and marked, where the network cannot hold it. */
  read(field) {
    const good = this.model.holds(field.valueAsNumber);
    field.setAttribute("aria-invalid", !good);
    return good ? field.valueAsNumber : null;
  }

  /** Give the chosen weight the value to paint, where weights are painted. */
  paintChosen() {
    const value = this.paint.checked && !this.painting.hidden ? this.read(this.paintValue) : null;
    if (value === null) this.render();
    else this.set([this.chosen], [value]);
  }

  /** Show [layer, neuron] (layer 1 is the first hidden one), or nothing. */
  pick(neuron) {
    this.picked = neuron && [neuron[0] - 1, neuron[1]];
    if (this.picked) this.chosen = this.strongest();
    this.render();
  }

  /** The weight that matters most for this drawing. */
  strongest() {
    const weights = this.model.column(...this.picked),
      inputs = this.model.layer(this.picked[0]);
    if (!weights) return 0;
    let best = 0,
      most = -1;
    weights.forEach((weight, i) => {
      const size = Math.abs(weight * (inputs ? inputs[i] : 1));
      if (size > most) [best, most] = [i, size];
    });
    return best;
  }

  get side() {
    const { kind, side } = this.model.network.inputs;
    if (this.picked[0] === 0 && kind === "pad") return side;
    const count = this.model.sizes[this.picked[0]];
    return count > 64 ? Math.ceil(Math.sqrt(count)) : 0; // 0: bars
  }

  render(source) {
    const { model } = this;
    if (this.picked && (this.picked[0] >= model.sizes.length - 1 || this.picked[1] >= model.sizes[this.picked[0] + 1]))
      this.picked = null;
    this.hint.hidden = Boolean(this.picked);
    this.body.hidden = !this.picked;
    if (!this.picked) {
      this.title.textContent = "A neuron";
      return;
    }
    const [layer, neuron] = this.picked,
      last = model.sizes.length - 2;
    const isImage = layer === 0 && model.network.inputs.kind === "pad";
    this.title.textContent = layer === last ? `Output ${neuron}` : `Hidden layer ${layer + 1}, neuron ${neuron}`;
    this.painting.hidden = !isImage;
    const weights = model.column(layer, neuron),
      bias = model.bias(layer, neuron);
    if (!weights || bias === null) return;
    this.chosen = Math.min(this.chosen, weights.length - 1);
    this.weights.classList.toggle("square", this.side > 0);
    this.drawWeights(weights);
    this.say(layer, neuron);
    const { side } = model.network.inputs;
    const where = isImage ? `${Math.floor(this.chosen / side)}, ${this.chosen % side}` : this.chosen;
    this.weightLabel.textContent = `weight ${where}`;
    this.weightLabel.title = isImage ? "row, column" : layer === 0 ? "of this input" : "of this neuron of the layer before";
    this.showKnob(this.bias, this.biasNumber, bias, source);
    this.showKnob(this.weight, this.weightNumber, weights[this.chosen], source);
  }

  showKnob(slider, number, value, source) {
    if (source !== slider) {
      const reach = Math.max(5, Math.ceil(2 * Math.abs(value))) || 5;
      // A range that follows the value would run away under the hand.
      if (!(document.activeElement === slider && Math.abs(value) <= Number(slider.max)))
        Object.assign(slider, { min: -reach, max: reach });
      slider.value = value;
    }
    if (document.activeElement !== number || source === undefined) number.value = short(value);
  }

  say(layer, neuron) {
    const sum = this.model.sum(layer, neuron),
      name = this.model.network.activations[layer];
    if (!sum) {
      this.sum.textContent = "Give the network an input to see the sum.";
      return;
    }
    const parts = [
      "for ",
      ["for", signed(sum.for, 2)],
      ", against ",
      ["against", signed(sum.against, 2)],
      ", bias ",
      ["", signed(sum.bias, 2)],
      ", z = ",
      ["", fixed(sum.z, 3)],
      `, ${name}, a = `,
      ["", fixed(sum.a, 4)],
    ];
    this.sum.replaceChildren(
      ...parts.map((part) => {
        if (typeof part === "string") return part;
        const bold = document.createElement("b");
        [bold.className, bold.textContent] = part;
        return bold;
      }),
    );
  }

  drawWeights(weights) {
    const { context, width, height } = sharp(this.weights);
    context.imageSmoothingEnabled = false;
    const { side } = this;
    if (side) {
      context.fillStyle = css("paper");
      context.fillRect(0, 0, width, height);
      const down = Math.ceil(weights.length / side),
        cell = Math.min(width / side, height / down);
      context.drawImage(signedPicture(weights, side, down), 0, 0, cell * side, cell * down);
      context.strokeStyle = css("ring");
      context.lineWidth = 2;
      context.strokeRect(
        (this.chosen % side) * cell - 1,
        Math.floor(this.chosen / side) * cell - 1,
        cell + 2,
        cell + 2,
      );
      return;
    }
    const row = height / weights.length,
      middle = width / 2,
      most = largest(weights),
      inputs = this.model.layer(this.picked[0]);
    const reach = middle - 30;
    context.textBaseline = "middle";
    context.font = `${Math.min(11, row)}px system-ui, sans-serif`;
    for (let i = 0; i < weights.length; i++) {
      const name = weights[i] > 0 ? "positive" : "negative",
        length = (weights[i] / most) * reach,
        top = i * row + row * 0.14;
      const full = inputs ? Math.min(1, Math.abs(inputs[i])) : 0;
      if (i === this.chosen) {
        context.fillStyle = css("ring", 0.25);
        context.fillRect(0, i * row, width, row);
      }
      context.fillStyle = css(name, 0.3);
      context.fillRect(middle, top, length, row * 0.72);
      context.fillStyle = css(name);
      context.fillRect(middle, top, length * full, row * 0.72);
      if (row >= 8) {
        context.fillStyle = css("muted");
        context.fillText(i, 5, i * row + row / 2);
      }
    }
    context.strokeStyle = css("line");
    context.lineWidth = 1;
    context.strokeRect(middle, 0, 0, height);
  }

  // Choosing a weight, and painting weights

  listen() {
    const canvas = this.weights;
    const weightAt = (event) => {
      const box = canvas.getBoundingClientRect(),
        count = this.model.sizes[this.picked[0]],
        { side } = this;
      const u = (event.clientX - box.left) / box.width,
        v = (event.clientY - box.top) / box.height;
      const inside = (value, end) => Math.min(end - 1, Math.max(0, Math.floor(value)));
      if (!side) return inside(v * count, count);
      const cell = Math.min(box.width / side, box.height / Math.ceil(count / side));
      return Math.min(count - 1, inside((v * box.height) / cell, side) * side + inside((u * box.width) / cell, side));
    };
    const use = (event) => {
      if (!this.picked) return;
      this.chosen = weightAt(event);
      this.paintChosen();
    };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.gesture++;
      use(event);
    });
    canvas.addEventListener("pointermove", (event) => event.buttons && use(event));
    canvas.addEventListener("keydown", (event) => {
      const along = this.side || 1,
        count = this.model.sizes[this.picked[0]];
      const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -along, ArrowDown: along };
      if (event.key === "Enter") {
        this.gesture++;
        this.paintChosen();
      } else if (steps[event.key]) {
        const next = this.chosen + steps[event.key];
        if (next >= 0 && next < count) this.chosen = next;
        this.render();
      } else return;
      event.preventDefault();
    });
  }
}

/** value as a number field has room for it. */
function short(value) {
  const [long, shorter] = [5, 3].map((digits) => String(Number(value.toPrecision(digits))));
  return long.length > MOST_CHARACTERS ? shorter : long;
}
