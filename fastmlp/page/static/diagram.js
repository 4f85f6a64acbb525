// The network: lines below and neurons above; which neuron is pointed at or picked, by pointer and by keys.

import { drawLines } from "./lines.js";
import { drawNeurons } from "./neurons.js";
import { placed } from "./places.js";

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
      if (
        along > 1 &&
        Math.floor((neuron + by) / along) === Math.floor(neuron / along) &&
        neuron + by >= 0 &&
        neuron + by < column.size
      )
        return [layer, neuron + by];
      if (!other) return [layer, neuron];
      return [other.layer, Math.round((neuron / Math.max(1, column.size - 1)) * (other.size - 1))];
    };
    const moves = {
      ArrowUp: () => vertical(-along),
      ArrowDown: () => vertical(along),
      ArrowLeft: () => beside(-1),
      ArrowRight: () => beside(1),
      Home: () => [layer, 0],
      End: () => [layer, column.size - 1],
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
    const began = performance.now(),
      end = this.model.sizes.length - 1;
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

  /** hasLines: whether the lines may be others than those drawn, which take the longest to draw. */
  render(hasLines = true) {
    if (!this.places || !this.model.network) return;
    if (hasLines) drawLines(this);
    drawNeurons(this);
  }
}

const same = (a, b) => a?.[0] === b?.[0] && a?.[1] === b?.[1];
