// The training panel: its knobs, its numbers, the image being learnt from.

import { sharp } from "./colours.js";
import { imageOf } from "./confusion.js";
import { drawCurves } from "./curves.js";
import { SETTINGS, isWhole } from "./link.js";

const byId = (id) => document.getElementById(id);

export class Training {
  constructor(model, order) {
    Object.assign(this, { model, order, curves: new Float64Array(), learnt: null });
    byId("start").onclick = () => order("train", { running: !model.status.running });
    byId("step").onclick = () => order("step");
    byId("optimizer").onchange = ({ target }) => order("settings", { optimizer: target.value });
    byId("speed").onchange = ({ target }) => order("settings", { steps_per_second: Number(target.value) });
    for (const name of ["learning_rate", "batch_size", "pause_after"]) {
      const use = (value) => order("settings", { [name]: value });
      this.field(name.replace("_", "-"), (value) => SETTINGS[name](value, model), use);
    }
    this.field("seed", (value) => isWhole(value, 0, 2 ** 32), () => this.fresh());
    byId("fresh").onclick = () => this.fresh();
    byId("layers").addEventListener("change", () => this.rebuild());
    byId("activation").addEventListener("change", () => this.rebuild());
    byId("hash").onclick = () => navigator.clipboard?.writeText(model.status.hash);
  }

  /** Use a field's number when it changes; one that is not good is marked. */
  field(id, isGood, use) {
    const field = byId(id);
    field.addEventListener("change", () => {
      const good = isGood(field.valueAsNumber);
      field.setAttribute("aria-invalid", !good);
      if (good) use(field.valueAsNumber);
    });
  }

  get seed() {
    const value = byId("seed").valueAsNumber;
    return isWhole(value, 0, 2 ** 32) ? value : 0;
  }

  get noun() {
    return this.model.network.inputs.kind === "pad" ? "images" : "samples";
  }

  get hasAccuracy() {
    return this.model.network.outputs !== "regression";
  }

  fresh() {
    this.order("fresh", { seed: this.seed });
  }

  rebuild() {
    const field = byId("layers"),
      text = field.value.trim();
    const sizes = text === "" ? [] : text.split(/[-,\s]+/).map(Number);
    const good = sizes.length <= 12 && sizes.every((size) => isWhole(size, 1, 8193));
    field.setAttribute("aria-invalid", !good);
    if (good) this.order("rebuild", { hidden_sizes: sizes, activation: byId("activation").value, seed: this.seed });
  }

  describe() {
    const { choices, optimizers, activations, layer_sizes: sizes } = this.model.network;
    byId("optimizer").replaceChildren(...Object.keys(optimizers).map((name) => new Option(name, name)));
    byId("activation").replaceChildren(...choices.map((name) => new Option(name, name)));
    byId("activation").value = activations.length > 1 ? activations[0] : choices[0];
    byId("layers").value = sizes.slice(1, -1).join("-");
    byId("layers").setAttribute("aria-invalid", false);
    byId("learnt-figure").hidden = this.model.network.inputs.kind !== "pad";
    if (!this.model.network.has_data) this.learnt = null;
    byId("rate-name").textContent = `${this.noun} a second`;
    byId("seen-name").textContent = `${this.noun} seen`;
    for (const element of document.querySelectorAll(".of-accuracy")) element.hidden = !this.hasAccuracy;
  }

  update(message) {
    if (message.curves) this.curves = message.curves;
    if (message.learnt) this.learnt = message.learnt;
    this.render();
  }

  render() {
    const { status } = this.model;
    const start = byId("start");
    start.textContent = status.running ? "Pause" : "Start";
    start.disabled = byId("step").disabled = Boolean(status.why_not) || document.body.dataset.state !== "connected";
    byId("why-not").textContent = status.diverged ? "" : status.why_not ? `Training is off: ${status.why_not}.` : "";
    fill("optimizer", status.optimizer);
    const { [status.optimizer]: rate } = this.model.network.optimizers;
    byId("learning-rate").title = `The default of ${status.optimizer} is ${rate}`;
    fill("learning-rate", status.learning_rate);
    fill("batch-size", status.batch_size);
    fill("pause-after", status.pause_after);
    fill("seed", status.seed);
    fill("speed", status.steps_per_second);
    byId("images-seen").textContent = status.images_seen.toLocaleString("en");
    byId("rate").textContent = Math.round(status.rate).toLocaleString("en");
    byId("epoch").textContent = `${status.epoch} of ${status.pause_after}`;
    byId("loss").textContent = number(status.loss ?? status.test_loss);
    byId("accuracy").textContent = status.accuracy === null ? "–" : `${(100 * status.accuracy).toFixed(2)}%`;
    byId("hash").textContent = `${status.hash.slice(0, 12)}…`;
    byId("hash").dataset.hash = status.hash;
    byId("hash").setAttribute("aria-label", `hash ${status.hash.slice(0, 12)}, copy the whole`);
    drawCurves(byId("curves"), this.curves, this);
    const { side, kind } = this.model.network.inputs;
    const { context, width, height } = sharp(byId("learnt"));
    context.imageSmoothingEnabled = false;
    if (this.learnt && kind === "pad" && this.learnt.length === side * side)
      context.drawImage(imageOf(this.learnt, side), 0, 0, width, height);
  }
}

function fill(id, value) {
  const field = byId(id);
  if (document.activeElement !== field && (field.value === "" || field.value !== String(value))) field.value = value;
}

const number = (value) =>
  value === null ? "–" : value >= 1e4 || value < 1e-4 ? value.toExponential(2) : value.toPrecision(4);
