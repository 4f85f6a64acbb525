// Where everything of the network's picture lies: columns of circles up to 24 neurons, blocks of squares beyond.

const MOST_CIRCLES = 24,
  MOST_SQUARES = 4096,
  LARGEST_SQUARE = 34; // CSS pixels

/** {columns, source, width, height}: a column is {layer, kind, size, x, left, right, radius, place(neuron), at(x, y)}. */
export function placed(model, width, height) {
  const { sizes, network, isBundled } = model;
  const narrow = width < 520;
  const top = 26,
    bottom = height - 8,
    middle = (top + bottom) / 2;
  const isPlane = network.inputs.kind === "plane",
    isPad = network.inputs.kind === "pad";
  const first = isBundled ? 1 : 0;
  const layers = sizes.map((_, layer) => layer).slice(first);
  const right = width - (narrow ? 76 : 86),
    left = isBundled ? (narrow ? 64 : 116) : 34;
  const step = layers.length > 1 ? (right - left) / (layers.length - 1) : 0;
  const columns = layers.map((layer, k) => {
    const size = sizes[layer],
      x = layers.length > 1 ? left + step * k : right;
    if (size > MOST_CIRCLES) return block(layer, size, x, middle, step * 0.62 || 300, bottom - top - 20, width);
    const gap = Math.min((bottom - top) / size, size > 8 ? 46 : 62);
    const radius = Math.min(size > 8 ? 13 : 17, gap * 0.4, step * 0.4 || Infinity);
    const hasPictures = size > 0 && ((layer === 1 && isPad) || (isPlane && layer > 0 && layer < sizes.length - 1));
    const picture = hasPictures ? Math.min(gap - 3, narrow ? 22 : size > 8 ? 34 : 48) : 0;
    const place = (neuron) => [x, middle + gap * (neuron - (size - 1) / 2)];
    return {
      layer,
      kind: "circles",
      size,
      x,
      radius,
      picture,
      place,
      gap,
      left: x - radius - (picture ? picture + 5 : 0),
      right: x + radius,
      pictureAt: (neuron) => [x - radius - picture - 5, place(neuron)[1] - picture / 2],
      at(px, py) {
        const neuron = Math.round((py - middle) / gap + (size - 1) / 2);
        const within = px > this.left - 6 && px < x + radius + (layer === sizes.length - 1 ? 60 : 8);
        return within &&
          neuron >= 0 &&
          neuron < size &&
          Math.abs(py - place(neuron)[1]) <= Math.max(radius + 3, picture / 2)
          ? neuron
          : null;
      },
    };
  });
  return { columns, source: [2, middle], step, width, height };
}

/** As large as the room is for its squares, row by row; around x, but within the picture, whose width is room. */
function block(layer, size, x, middle, width, height, room) {
  const across = Math.ceil(Math.sqrt((size * width) / Math.max(width, height))),
    down = Math.ceil(size / across);
  const cell = Math.min(LARGEST_SQUARE, width / across, height / down),
    left = Math.max(24, Math.min(x - (cell * across) / 2, room - 8 - cell * across)),
    top = middle - (cell * down) / 2;
  return {
    layer,
    size,
    x: left + (cell * across) / 2,
    across,
    down,
    cell,
    left,
    right: left + cell * across,
    top,
    bottom: top + cell * down,
    radius: cell / 2,
    kind: size > MOST_SQUARES ? "heat" : "block",
    place: (neuron) => [left + cell * ((neuron % across) + 0.5), top + cell * (Math.floor(neuron / across) + 0.5)],
    at(px, py) {
      const column = Math.floor((px - left) / cell),
        row = Math.floor((py - top) / cell),
        neuron = row * across + column;
      return column >= 0 && column < across && row >= 0 && neuron < size ? neuron : null;
    },
  };
}
