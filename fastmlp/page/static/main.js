// Puts the page together: what the server says goes to the model and on to the panels, what the user does goes back.

import { readTheme } from "./colours.js";
import { Confusion, showImages } from "./confusion.js";
import { Diagram } from "./diagram.js";
import { Plane, Sliders } from "./inputs.js";
import { Inspector } from "./inspector.js";
import { readLink } from "./link.js";
import { Model } from "./model.js";
import { fixed, plainly } from "./numerals.js";
import { Pad } from "./pad.js";
import { sayAnswer, sayNeuron } from "./speech.js";
import { download, followLink, setUpToolbar } from "./toolbar.js";
import { Training } from "./training.js";
import { Wire } from "./wire.js";

const byId = (id) => document.getElementById(id);
const link = readLink();
const model = new Model();
readTheme();

// The present input: one in flight, and after it the latest

const pad = new Pad(byId("pad"), byId("seen"), { onInput: sendInput, onChange: padChanged });
const plane = new Plane(byId("pad"), sendInput);
const sliders = new Sliders(byId("sliders"), sendInput);
let row = null; // of the data, where inputs are too many for sliders
let label = null; // what the example on the pad is
let sequence = 0,
  answered = 0,
  isStale = false;

function inputValues() {
  const { kind } = model.network.inputs;
  return kind === "pad"
    ? pad.values()
    : kind === "plane"
      ? plane.values()
      : kind === "sliders"
        ? sliders.values()
        : row;
}

function sendInput() {
  if (!model.network || !wire.isOpen) return;
  if (answered < sequence) return void (isStale = true);
  isStale = false;
  const values = inputValues();
  if (values === null) return;
  const dtype = values instanceof Uint8Array ? "u1" : "f8";
  wire.frame({ type: "input", sequence: ++sequence, dtype, structure: model.structure }, values);
}

function takeAnswer(message) {
  answered = message.sequence;
  if (message.structure === model.structure) {
    model.takeActivations(message);
    render(model.knowsLines || diagram.focus !== null);
  }
  if (isStale) sendInput();
}

function padChanged() {
  if (!pad.state.image) label = null;
  byId("stroke-undo").disabled = !pad.past.length;
  byId("stroke-redo").disabled = !pad.future.length;
  const hasStrokes = pad.state.strokes.length > 0;
  byId("move").disabled = !hasStrokes;
  if (!hasStrokes && pad.isMoving) setMoving(false);
}

function setMoving(on) {
  byId("move").setAttribute("aria-pressed", on);
  pad.setMoving(on);
}

// The panels

const diagram = new Diagram(byId("diagram"), model, { onPoint: pointed, onPick: picked });
const inspector = new Inspector(model, { turn, scale, onChange: () => diagram.render() });
const training = new Training(model, order);
const confusion = new Confusion(byId("confusion"), (row, column) => order("cell", { row, column }));
confusion.onMove = (row, column, count) => sayNeuron(`${row} taken for ${column}: ${count}`);

/** An order that says which network it is meant for: there may be another before it arrives. */
function order(type, fields) {
  wire.order(type, { ...fields, structure: model.structure });
}

function turn(layer, neuron, inputs, values, gesture) {
  const fields = { layer, neuron, gesture };
  if (inputs[0] < 0) fields.bias = values[0];
  else Object.assign(fields, { inputs, weights: values });
  order("turn", fields);
}

function scale(layer, neuron, factor) {
  order("scale", { layer, neuron, factor });
}

function pointed(neuron) {
  ask(neuron);
  overlay();
  if (model.network.inputs.kind === "plane") {
    plane.neuron = neuron?.[0] > 0 ? neuron : null;
    plane.render(model);
  }
  if (neuron && document.activeElement === byId("diagram")) sayNeuron(describe(neuron));
}

function describe([layer, neuron]) {
  const last = model.sizes.length - 1;
  const name =
    layer === 0
      ? `input ${neuron}`
      : layer === last
        ? `output ${model.outputName(neuron)}`
        : `hidden layer ${layer}, neuron ${neuron}`;
  const activations = model.layer(layer);
  return activations ? `${name}: ${fixed(activations[neuron], 2)}` : name;
}

function picked(neuron) {
  ask(neuron);
  inspector.pick(neuron);
}

/** Of a large network, the weights of a neuron travel when they are looked at. */
function ask(neuron) {
  if (!neuron || neuron[0] < 1 || model.parameters || model.columns.has(`${neuron[0] - 1}/${neuron[1]}`)) return;
  order("neuron", { layer: neuron[0] - 1, neuron: neuron[1] });
}

/** While a neuron of the first layer is pointed at, the pad shows its weights times the drawing. */
function overlay() {
  if (model.network.inputs.kind !== "pad") return;
  const [layer, neuron] = diagram.pointed ?? [0, 0];
  const weights = layer === 1 ? model.column(0, neuron) : null,
    inputs = model.layer(0);
  const before = pad.overlay;
  pad.overlay = weights && inputs ? Float64Array.from(weights, (weight, i) => weight * inputs[i]) : null;
  if (before || pad.overlay) pad.render();
}

function render(hasLines = true) {
  diagram.render(hasLines);
  inspector.render(document.activeElement);
  overlay();
  const { kind } = model.network.inputs;
  if (kind === "plane") plane.render(model);
  const isBlank = kind === "pad" && pad.isEmpty,
    answer = isBlank ? null : model.answer();
  const [short, long] = byId("answer").children;
  short.textContent = answer?.short ?? "";
  long.textContent = answer
    ? answer.long + (label === null ? "" : ` (it is ${[label].flat().map(plainly).join(", ")})`)
    : kind === "pad"
      ? "Draw here, and every neuron answers."
      : "";
  byId("answer").classList.toggle("long", (answer?.short.length ?? 0) > 3);
  if (answer) sayAnswer(`${answer.short}, ${answer.long}`);
  const note =
    diagram.focus || diagram.total <= diagram.drawn
      ? ""
      : `the strongest ${diagram.drawn} of ${diagram.total.toLocaleString("en")} lines`;
  byId("lines-note").textContent = note;
}

// What the server says

const wire = new Wire(link.token, { onMessage: receive, onState: stateChanged });

function receive(message) {
  if (message.type === "activations") return takeAnswer(message);
  if (message.type === "update") return requestAnimationFrame(() => takeUpdate(message));
  if (message.type === "neuron" && message.structure === model.structure) {
    model.columns.set(`${message.layer}/${message.neuron}`, message);
    if (inspector.picked && !inspector.chosen) inspector.chosen = inspector.strongest();
    render();
  } else if (message.type === "example") showSample(message.values, message.label);
  else if (message.type === "cell") showImages(byId("images"), message, model.network.inputs, showSample);
  else if (message.type === "file") download(message.content, `fastmlp-${model.sizes.join("-")}.npz`);
  else if (message.type === "refused") tell(message.text);
}

function takeUpdate(message) {
  const isNew = Boolean(message.network),
    wasDiverged = model.status?.diverged;
  const version = model.version;
  model.update(message);
  if (isNew) describeNetwork();
  if (message.confusion) confusion.show(message.confusion);
  else if (isNew) confusion.show(null);
  training.update(message);
  for (const name of ["undo", "redo"]) {
    const label = model.status[name];
    byId(name).disabled = label === null || wire.state !== "connected"; // it may have waited for its frame
    byId(name).title =
      label === null
        ? `Nothing to ${name}`
        : `${name === "undo" ? "Undo" : "Redo"}: ${label} (${name === "undo" ? "Ctrl+Z" : "Ctrl+Shift+Z"})`;
  }
  if (model.status.diverged && !wasDiverged)
    tell("Training has diverged: some weights are no numbers any more.", "divergence", "Undo", () => wire.order("undo"));
  if (!model.status.diverged) over("divergence");
  if (model.version !== version && !model.parameters) {
    ask(diagram.pointed);
    ask(diagram.picked);
  }
  render();
  if (isNew) {
    answered = sequence; // what was sent to the network before may have been too long or too short for an answer
    sendInput();
  }
  wire.order("ack");
  document.body.dataset.version = model.version;
}

function describeNetwork() {
  const { network } = model,
    { kind, side, pixels } = network.inputs;
  const isFirst = !document.body.dataset.version;
  byId("subtitle").textContent =
    `${network.layer_sizes.join("-")} · ${network.n_parameters.toLocaleString("en")} weights and biases`;
  document.title = `fastmlp ${network.layer_sizes.join("-")}`;
  byId("input-title").textContent = {
    pad: network.outputs === "classes" && network.layer_sizes.at(-1) === 10 ? "Draw a digit" : "Draw",
    plane: "Choose a point",
    sliders: "Set the inputs",
    rows: "Choose a row of the data",
  }[kind];
  const isPad = kind === "pad";
  byId("pad").parentElement.hidden = !isPad && kind !== "plane";
  byId("pad").setAttribute(
    "aria-label",
    isPad ? "Drawing pad" : "The plane of both inputs. Arrow keys move the point.",
  );
  byId("sliders").hidden = kind !== "sliders";
  byId("row-chooser").hidden = kind !== "rows";
  for (const id of ["pad-buttons", "move", "centre-label", "seen-figure"]) byId(id).hidden = !isPad;
  byId("example").hidden = !network.has_data;
  byId("example").textContent = isPad && network.layer_sizes.at(-1) === 10 ? "A test digit" : "A test sample";
  byId("row-index").max = network.n_test - 1;
  byId("confusion-figure").hidden = network.outputs !== "classes" && network.outputs !== "binary";
  byId("activation-key").querySelector("span").textContent = network.activations.every(
    (name) => name === "sigmoid" || name === "softmax",
  )
    ? "activation 0 … 1"
    : "activation, of its layer's largest";
  byId("activation-key")
    .querySelector("i")
    .classList.toggle(
      "signed",
      network.activations.some((name) => name !== "sigmoid" && name !== "softmax" && name !== "relu"),
    );
  pad.disabled = !isPad;
  if (isPad) pad.resize(side, pixels);
  plane.describe(kind === "plane" ? network.inputs : null);
  if (kind === "sliders") sliders.describe(network.inputs);
  if (kind === "rows" && network.has_data && (row === null || row.length !== network.layer_sizes[0]))
    wire.order("example", { index: 0 });
  if (kind === "rows" && row?.length !== network.layer_sizes[0])
    row = network.has_data ? null : new Float64Array(network.layer_sizes[0]);
  diagram.pointed = diagram.picked = null;
  inspector.pick(null);
  training.describe();
  diagram.layOut();
  if (isFirst) followLink({ model, wire, link, tell });
}

function showSample(values, of) {
  if (values.length !== model.sizes[0]) return; // it comes from a dialog that was opened for a network before
  const { kind } = model.network.inputs;
  label = of;
  if (kind === "pad") pad.show(values);
  else if (kind === "sliders") sliders.show(values);
  else if (kind === "plane") {
    plane.point = [...values];
    sendInput();
  } else {
    row = values;
    sendInput();
  }
}

const OF_SERVER = ["undo", "redo", "load", "save", "link", "example", "start", "step", "fresh"]; // which need it

function stateChanged(state, reason) {
  document.body.dataset.state = state;
  for (const id of OF_SERVER) byId(id).disabled = state !== "connected"; // an update follows, and knows better
  const words = {
    connected: "connected",
    lost: "connection lost, trying again",
    ended: "the server has ended; your drawing is kept",
    refused: "another server answers here: open the address that it printed",
    full: "too many tabs are open",
    broken: `closed: ${reason}`,
  };
  byId("connection").textContent = words[state];
  if (state === "connected") {
    answered = sequence;
    wire.order("lines", { mode: diagram.byProduct ? "products" : "weights" });
    over("connection");
    if (model.network) sendInput();
  } else {
    tell(`${words[state][0].toUpperCase()}${words[state].slice(1)}.`, "connection");
  }
}

/** Say something in the banner: about what, which may be over(); with an action or without. */
function tell(text, about = "", action, act) {
  const banner = byId("banner"),
    [words, button, dismiss] = banner.children;
  words.textContent = text;
  banner.dataset.about = about;
  button.hidden = !action;
  button.textContent = action ?? "";
  button.onclick = () => {
    banner.hidden = true;
    act();
  };
  dismiss.onclick = () => (banner.hidden = true);
  banner.hidden = false;
}

function over(about) {
  if (byId("banner").dataset.about === about) byId("banner").hidden = true;
}

// The buttons of the panels, and the bar at the top

byId("clear").onclick = () => pad.clear();
byId("stroke-undo").onclick = () => pad.undo();
byId("stroke-redo").onclick = () => pad.redo();
byId("move").onclick = () => setMoving(!pad.isMoving);
byId("example").onclick = () => wire.order("example", { index: null });
byId("row-index").onchange = ({ target }) => {
  if (
    Number.isInteger(target.valueAsNumber) &&
    target.valueAsNumber >= 0 &&
    target.valueAsNumber < model.network.n_test
  )
    wire.order("example", { index: target.valueAsNumber });
};
byId("centre").onchange = ({ target }) => {
  pad.centred = target.checked;
  sendInput();
  pad.render();
};
for (const radio of document.getElementsByName("mode")) {
  radio.onchange = () => {
    diagram.byProduct = radio.value === "products";
    wire.order("lines", { mode: radio.value });
    render();
  };
  if (radio.value === link.mode) {
    radio.checked = true;
    diagram.byProduct = radio.value === "products";
  }
}
byId("replay").onclick = () => diagram.replay();
setUpToolbar({ model, wire, diagram, link, tell, redrawAll });
for (const name of link.hide) document.body.classList.add(`no-${name}`);
addEventListener("resize", redrawAll);
pad.render();

function redrawAll() {
  pad.render();
  if (!model.network) return;
  diagram.layOut();
  confusion.render();
  training.render();
  render();
}
