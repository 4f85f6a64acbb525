// Numbers as they are read: the typographer's minus, an infinity that has a sign of its own, powers of ten where they are huge.

const HUGE = 1e6;

/** value with so many digits behind the point. */
export function fixed(value, digits) {
  if (Math.abs(value) >= HUGE) return precise(value, 3);
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : typeset(text);
}

/** value with so many digits in all. */
export const precise = (value, digits) => typeset(value.toPrecision(digits));

/** A label: a whole number as it is, others with four digits. */
export const plainly = (value) => (Number.isInteger(value) ? value : precise(value, 4));

/** The same as fixed, with a plus as well; zero has no sign. */
export function signed(value, digits) {
  const text = fixed(value, digits);
  return value > 0 && Number(text) !== 0 ? `+${text}` : text;
}

const typeset = (text) => text.replaceAll("-", "−").replace("Infinity", "∞");
