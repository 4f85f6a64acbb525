// How strokes become pixels: as the embedded digits are drawn, by each pixel's distance to the pen's way.

const RADIUS = 1.2,
  BLUR = 1.2,
  DIGIT_SIDE = 28,
  BOX = 20; // pixels of 28; BOX is what a training digit fills

/** The grey bytes of strokes (arrays of points [x, y], 0 to 1) on side x side pixels. */
export function ink(strokes, side, { centred }) {
  const scale = side / DIGIT_SIDE;
  const radius = Math.max(0.6, RADIUS * scale),
    blur = Math.max(0.8, BLUR * scale);
  if (!strokes.some((stroke) => stroke.length)) return new Uint8Array(side * side);
  if (!centred)
    return shade(
      strokes.map((stroke) => stroke.map(([x, y]) => [x * side, y * side])),
      side,
      radius,
      blur,
    );
  const box = Math.round(BOX * scale);
  return centre(shade(fit(strokes, box, radius), side, radius, blur, box), side, box);
}

/** The strokes scaled so that their ink fills a square of box pixels, in its middle. */
function fit(strokes, box, radius) {
  const [left, top, right, bottom] = bounds(strokes);
  const factor = (box - 2 * radius) / Math.max(right - left, bottom - top, 0.12);
  return strokes.map((stroke) =>
    stroke.map(([x, y]) => [(x - (left + right) / 2) * factor + box / 2, (y - (top + bottom) / 2) * factor + box / 2]),
  );
}

export function bounds(strokes) {
  let left = Infinity,
    top = Infinity,
    right = -Infinity,
    bottom = -Infinity;
  for (const stroke of strokes)
    for (const [x, y] of stroke) {
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
  return [left, top, right, bottom];
}

function shade(strokes, side, radius, blur, extent = side) {
  const nearest = new Float32Array(side * side).fill(1e9);
  const reach = radius + blur;
  for (const stroke of strokes)
    for (let i = 0; i < stroke.length; i++) {
      const [x0, y0] = stroke[Math.max(0, i - 1)],
        [x1, y1] = stroke[i];
      const dx = x1 - x0,
        dy = y1 - y0,
        length = dx * dx + dy * dy;
      const last = extent - 1;
      const rows = [
        Math.max(0, Math.floor(Math.min(y0, y1) - reach)),
        Math.min(last, Math.ceil(Math.max(y0, y1) + reach)),
      ];
      const columns = [
        Math.max(0, Math.floor(Math.min(x0, x1) - reach)),
        Math.min(last, Math.ceil(Math.max(x0, x1) + reach)),
      ];
      for (let row = rows[0]; row <= rows[1]; row++)
        for (let column = columns[0]; column <= columns[1]; column++) {
          const px = column + 0.5 - x0,
            py = row + 0.5 - y0;
          const t = length ? Math.min(1, Math.max(0, (px * dx + py * dy) / length)) : 0;
          const ex = px - t * dx,
            ey = py - t * dy,
            distance = ex * ex + ey * ey;
          const pixel = row * side + column;
          if (distance < nearest[pixel]) nearest[pixel] = distance;
        }
    }
  return Uint8Array.from(nearest, (d) => Math.min(1, Math.max(0, (radius - Math.sqrt(d)) / blur + 0.5)) * 255 + 0.5);
}

/** The box of ink moved so that its centre of mass is in the middle, to the nearest pixel. */
function centre(pixels, side, box) {
  let total = 0,
    momentX = 0,
    momentY = 0;
  for (let row = 0; row < box; row++)
    for (let column = 0; column < box; column++) {
      const value = pixels[row * side + column];
      total += value;
      momentX += value * (column + 0.5);
      momentY += value * (row + 0.5);
    }
  const offset = (moment) => Math.min(side - box, Math.max(0, Math.round(side / 2 - moment / total)));
  const left = offset(momentX),
    top = offset(momentY);
  const moved = new Uint8Array(side * side);
  for (let row = 0; row < box; row++)
    moved.set(pixels.subarray(row * side, row * side + box), (row + top) * side + left);
  return moved;
}
