// Inputs that are no image: sliders, a point on the plane over the outputs' response maps, or rows of the data.

import { css, greyPicture, scaleOf, sharp } from "./colours.js";
import { precise } from "./numerals.js";

const CLASS_COLOURS = ["#4aa3ff", "#ff8a3d", "#2a9d5c", "#e36bf2", "#d29a00", "#7a8290"];
export const MAP_SIDE = 24;

export class Plane {
  constructor(canvas, onInput) {
    Object.assign(this, { canvas, onInput, point: [0, 0], neuron: null });
    const place = (event) => {
      const box = canvas.getBoundingClientRect();
      this.set((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (!this.description) return;
      canvas.setPointerCapture(event.pointerId);
      place(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (this.description && event.buttons) place(event);
    });
    canvas.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      if (!this.description || !steps[event.key]) return;
      event.preventDefault();
      const [u, v] = this.share(this.point),
        [dx, dy] = steps[event.key];
      this.set(u + dx / 50, v + dy / 50);
    });
  }

  describe(description) {
    Object.assign(this, { description, neuron: null });
    if (description) this.point = description.low.map((low, i) => (low + description.high[i]) / 2);
  }

  set(u, v) {
    const { low, high } = this.description;
    const inside = (share) => Math.min(1, Math.max(0, share));
    this.point = [low[0] + (high[0] - low[0]) * inside(u), high[1] - (high[1] - low[1]) * inside(v)];
    this.onInput();
  }

  share([x, y]) {
    const { low, high } = this.description;
    return [(x - low[0]) / (high[0] - low[0]), (high[1] - y) / (high[1] - low[1])];
  }

  values() {
    return Float64Array.from(this.point);
  }

  /** The map of a neuron of layer (1: the first hidden one): MAP_SIDE rows of numbers from -1 to 1. */
  static map(model, layer, neuron) {
    if (!model.maps) return null;
    const start = model.activationStarts[layer] - model.sizes[0] + neuron;
    const numbers = model.maps.subarray(start * MAP_SIDE ** 2, (start + 1) * MAP_SIDE ** 2);
    const scale = scaleOf(model.network.activations[layer - 1], numbers);
    return numbers.map((value) => value / scale);
  }

  render(model) {
    const { context, width, height } = sharp(this.canvas);
    const last = model.sizes.length - 1;
    const [layer, neuron] = this.neuron ?? [last, model.sizes[last] > 1 ? 1 : 0];
    const map = Plane.map(model, layer, neuron);
    context.imageSmoothingEnabled = true;
    if (map) context.drawImage(greyPicture(map, MAP_SIDE, MAP_SIDE, 1), 0, 0, width, height);
    const { points = [], labels = [] } = this.description;
    points.forEach((point, i) => {
      const [u, v] = this.share(point);
      context.fillStyle = CLASS_COLOURS[labels[i] % CLASS_COLOURS.length];
      context.strokeStyle = "#000";
      context.lineWidth = 0.8;
      context.beginPath();
      context.arc(u * width, v * height, 3, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
    });
    const [u, v] = this.share(this.point);
    context.strokeStyle = css("ring");
    context.lineWidth = 3;
    context.beginPath();
    context.arc(u * width, v * height, 8, 0, 2 * Math.PI);
    context.stroke();
  }
}

export class Sliders {
  constructor(element, onInput) {
    Object.assign(this, { element, onInput, numbers: new Float64Array() });
  }

  describe({ low, high }) {
    this.numbers = Float64Array.from(low, (value, i) => (value + high[i]) / 2);
    this.element.replaceChildren();
    this.inputs = low.map((least, i) => {
      const label = document.createElement("label"),
        slider = document.createElement("input"),
        output = document.createElement("output");
      label.textContent = `input ${i}`;
      label.htmlFor = slider.id = `input-${i}`;
      Object.assign(slider, { type: "range", min: least, max: high[i], step: "any", value: this.numbers[i] });
      slider.addEventListener("input", () => {
        this.numbers[i] = slider.valueAsNumber;
        output.textContent = precise(this.numbers[i], 3);
        this.onInput();
      });
      output.textContent = precise(this.numbers[i], 3);
      this.element.append(label, slider, output);
      return [slider, output];
    });
  }

  show(values) {
    this.numbers = Float64Array.from(values);
    this.inputs.forEach(([slider, output], i) => {
      slider.value = this.numbers[i];
      output.textContent = precise(this.numbers[i], 3);
    });
    this.onInput();
  }

  values() {
    return this.numbers;
  }
}
