// A link that carries the settings: read from the address's fragment, and made for others of this computer.

const SETTINGS = ["learning_rate", "batch_size", "pause_after", "steps_per_second"];

/** {token, settings, network, hide, mode} as the fragment says; what it leaves out is undefined. */
export function readLink() {
  const fields = new URLSearchParams(location.hash.slice(1));
  const settings = {};
  for (const name of SETTINGS) {
    const value = Number(fields.get(name));
    if (fields.has(name) && Number.isFinite(value)) settings[name] = value;
  }
  if (fields.has("optimizer")) settings.optimizer = fields.get("optimizer");
  let network = null;
  if (fields.has("hidden")) {
    const sizes = fields.get("hidden") === "" ? [] : fields.get("hidden").split("-").map(Number);
    const whole = (value) => Number.isInteger(value) && value > 0 && value <= 8192;
    const seed = Number(fields.get("seed"));
    if (sizes.every(whole) && sizes.length <= 12 && Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32)
      network = { hidden_sizes: sizes, activation: fields.get("activation") ?? "sigmoid", seed };
  }
  const hide = (fields.get("hide") ?? "").split(",").filter((name) => ["neuron", "training", "files"].includes(name));
  return { token: fields.get("token") ?? "", settings, network, hide, mode: fields.get("lines") };
}

export function makeLink(model, { token, hide, mode, theme }) {
  const { status, network } = model;
  const fields = new URLSearchParams({ token });
  fields.set("hidden", network.layer_sizes.slice(1, -1).join("-"));
  fields.set("activation", network.activations.length > 1 ? network.activations[0] : network.choices[0]);
  fields.set("seed", status.seed);
  for (const name of ["optimizer", ...SETTINGS]) fields.set(name, status[name]);
  fields.set("lines", mode);
  fields.set("theme", theme);
  if (hide.length) fields.set("hide", hide.join(","));
  return `${location.origin}/#${fields}`;
}
