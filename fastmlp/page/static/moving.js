// Moving and scaling a drawing: its strokes shifted, or scaled about a point; by pointer its box is dragged, or a corner of it.

import { bounds } from "./ink.js";

const MARGIN = 0.06; // of the pad's side, around the strokes: half a pen's width and some room
const REACH = 18; // CSS pixels around a corner in which a finger takes it
const LEAST = 0.1; // times its size: what one drag makes of a drawing at least

export function shifted(strokes, dx, dy) {
  return strokes.map((stroke) => stroke.map(([x, y]) => [x + dx, y + dy]));
}

export function scaled(strokes, [x0, y0], factor) {
  return strokes.map((stroke) => stroke.map(([x, y]) => [x0 + (x - x0) * factor, y0 + (y - y0) * factor]));
}

export function middle(strokes) {
  const [left, top, right, bottom] = bounds(strokes);
  return [(left + right) / 2, (top + bottom) / 2];
}

/** The corners of the box around strokes, in a circle from the upper left one; everything is in shares of the pad's side. */
export function corners(strokes) {
  const [left, top, right, bottom] = bounds(strokes);
  const [l, t, r, b] = [left - MARGIN, top - MARGIN, right + MARGIN, bottom + MARGIN];
  return [[l, t], [r, t], [r, b], [l, b]];
}

/** What a pointer that took the strokes at a place makes of them: a function of where it is then. side: of the pad, in pixels. */
export function taken(strokes, from, side) {
  const around = corners(strokes),
    found = around.findIndex(([x, y]) => Math.hypot(x - from[0], y - from[1]) * side <= REACH);
  if (found < 0) {
    const centre = middle(strokes);
    const inside = (k, to) => Math.min(1, Math.max(0, centre[k] + to[k] - from[k])) - centre[k]; // it is not lost outside
    return (to) => shifted(strokes, inside(0, to), inside(1, to));
  }
  const fixed = around[(found + 2) % 4],
    [dx, dy] = [from[0] - fixed[0], from[1] - fixed[1]];
  return ([x, y]) => {
    const along = ((x - fixed[0]) * dx + (y - fixed[1]) * dy) / (dx * dx + dy * dy);
    return scaled(strokes, fixed, Math.max(LEAST, along));
  };
}
