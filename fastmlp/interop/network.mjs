Functions of the modules that javascript.py writes: fastmlp/reference, operation by operation, for one row.

Every function is a part of its own, under a line that names it and the parts that it needs; a network's file gets those that
it uses. Real is Float32Array or Float64Array. Functions whose names end in 24 are for the first, those in 53 for the second.

//: bits
// A number and its two halves.
const scratch = new Float64Array(1), words = new Uint32Array(scratch.buffer);
const LOW = new Uint8Array(new Uint32Array([1]).buffer)[0] ? 0 : 1, HIGH = 1 - LOW;

//: round_to_odd: bits
// Where the sum is not exact and even, one unit towards its error: what is rounded once more then is rounded correctly
// (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", IEEE Trans. Computers 57(4), 2008).
function roundToOdd(sum, error) {
    if (!(error < 0 || error > 0)) return sum;
    scratch[0] = sum;
    if (words[LOW] & 1) return sum;
    if ((error < 0) === (sum > 0)) {
        if (words[LOW] === 0) words[HIGH]--;
        words[LOW]--;
    } else words[LOW]++;
    return scratch[0];
}

//: fma24: round_to_odd
// a b + c with one rounding, of float32 numbers: their product is exact.
function fma(a, b, c) {
    const product = a * b, sum = product + c, part = sum - product;
    return Math.fround(roundToOdd(sum, (product - (sum - part)) + (c - part)));
}

//: two_product
// [a b rounded, what that lost] (Dekker, with Veltkamp's splitting).
function twoProduct(a, b) {
    const t = 134217729 * a, aHigh = t - (t - a), aLow = a - aHigh;
    const u = 134217729 * b, bHigh = u - (u - b), bLow = b - bHigh, p = a * b;
    return [p, ((aHigh * bHigh - p) + aHigh * bLow + aLow * bHigh) + aLow * bLow];
}

//: two_sum
// [a + b rounded, what that lost] (Knuth).
function twoSum(a, b) {
    const s = a + b, part = s - a;
    return [s, (a - (s - part)) + (b - part)];
}

//: power_of_2: bits
// 2^k for a whole number k, -1022 <= k <= 1023.
function powerOf2(k) {
    words[HIGH] = (k + 1023) << 20;
    words[LOW] = 0;
    return scratch[0];
}

//: fma53: round_to_odd two_product two_sum power_of_2
const LARGEST = 2 ** 960, SMALLEST = 2 ** -900;

// a b + c with one rounding.
function fma(a, b, c) {
    const size = Math.abs(a * b);
    if (size > SMALLEST && size < LARGEST && Math.abs(a) < LARGEST && Math.abs(b) < LARGEST && Math.abs(c) < LARGEST) {
        const [product, error] = twoProduct(a, b), [th, tl] = twoSum(c, error), [vh, vl] = twoSum(product, th);
        return vh + roundToOdd(...twoSum(tl, vl));
    }
    if (a === 0 || b === 0 || !Number.isFinite(a) || !Number.isFinite(b)) return a * b + c;
    return Number.isFinite(c) ? fmaInIntegers(a, b, c) : c;
}

// x = m 2^e, with a whole number m.
function unpack(x) {
    scratch[0] = x;
    const exponent = words[HIGH] >>> 20 & 0x7FF, bits = BigInt(words[HIGH] & 0xFFFFF) << 32n | BigInt(words[LOW]);
    const m = exponent ? bits | 1n << 52n : bits;
    return [x < 0 ? -m : m, (exponent || 1) - 1075];
}

// The same at the ends of the range.
function fmaInIntegers(a, b, c) {
    const [ma, ea] = unpack(a), [mb, eb] = unpack(b), [mc, ec] = unpack(c), e = Math.min(ea + eb, ec);
    const total = (ma * mb << BigInt(ea + eb - e)) + (mc << BigInt(ec - e)), m = total < 0n ? -total : total;
    if (m === 0n) return 0;
    const last = Math.max(m.toString(2).length - 53 + e, -1074), shift = BigInt(last - e);
    let q = shift > 0n ? m >> shift : m << -shift;
    if (shift > 0n) {
        const rest = m - (q << shift), half = 1n << shift - 1n;
        if (rest > half || rest === half && q & 1n) q++;
    }
    const first = Math.trunc(last / 2), size = Number(q) * powerOf2(first) * powerOf2(last - first);
    return total < 0n ? -size : size;
}

//: dense
const CHUNK = 256;

// z = b + x W, W being (x.length, z.length). A sum is of chunks of 256 terms, each a chain of fma from +0.
function dense(x, w, b, z, s) {
    z.set(b);
    for (let start = 0; start < x.length; start += CHUNK) {
        s.fill(0);
        for (let k = start; k < Math.min(start + CHUNK, x.length); k++) {
            const row = k * z.length;
            for (let j = 0; j < z.length; j++) s[j] = fma(x[k], w[row + j], s[j]);
        }
        for (let j = 0; j < z.length; j++) z[j] = z[j] + s[j];
    }
}

//: relu
const relu = (z) => (z <= 0 ? 0 : z);

//: leaky_relu
const SLOPE = new Real([0.01])[0];
const leaky_relu = (z) => (z > 0 ? z : SLOPE * z);

//: powers: power_of_2
const LOG2_E = 1.4426950408889634, LN2 = 0.6931471805599453;
const LN2_HIGH = 0.6931471803691238, LN2_LOW = 1.9082149292705877e-10;
const ROUNDER = 6755399441055744; // 1.5 * 2^52: adding it rounds to an integer

//: horner
// The polynomial with these coefficients, the highest power's first.
function horner(coefficients, x) {
    let s = coefficients[0];
    for (let i = 1; i < coefficients.length; i++) s = s * x + coefficients[i];
    return s;
}

//: reduce24: powers horner
const EXP_SERIES_24 = [1 / 40320, 1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 0.5];

// x = k ln 2 + r: [2^k, e^r - 1].
function reduce24(x) {
    const k = (x * LOG2_E + ROUNDER) - ROUNDER, r = x - k * LN2;
    return [powerOf2(k), r + (r * r) * horner(EXP_SERIES_24, r)];
}

//: exp24: reduce24
function exp24(x) {
    const [scale, expm1R] = reduce24(x > 89 ? 89 : x < -104 ? -104 : x);
    return (1 + expm1R) * scale;
}

//: expm1_24: reduce24
function expm1_24(x) {
    const [scale, expm1R] = reduce24(x > 89 ? 89 : x < -60 ? -60 : x);
    return x === 0 ? x : (scale - 1) + scale * expm1R;
}

//: sigmoid24: exp24
function sigmoid24(x) {
    const t = exp24(x < 0 ? x : -x);
    return (x < 0 ? t : 1) / (1 + t);
}

//: tanh24: expm1_24
function tanh24(x) {
    const magnitude = x < 0 ? -x : x, t = expm1_24(2 * (magnitude > 10 ? 10 : magnitude)), positive = t / (t + 2);
    return x === 0 ? x : x < 0 ? -positive : positive;
}

//: elu24: expm1_24
const elu24 = (x) => (x > 0 ? x : expm1_24(x));

//: selu
const SELU_SCALE = 1.0507009873554805, SELU_SCALE_ALPHA = 1.7580993408473766;

//: selu24: selu expm1_24
const selu24 = (x) => (x > 0 ? SELU_SCALE * x : SELU_SCALE_ALPHA * expm1_24(x));

//: log
// u = 2^k (1 + f), for u from 1 to 2: [k, f].
function reduceLog(u) {
    const upper = u >= Math.SQRT2;
    return [upper ? 1 : 0, (upper ? u * 0.5 : u) - 1];
}

//: softplus24: exp24 log horner
const LOG_SERIES_24 = [2 / 13, 2 / 11, 2 / 9, 2 / 7, 2 / 5, 2 / 3];

function log24(u) {
    const [k, f] = reduceLog(u), s = f / (2 + f), s2 = s * s;
    return k * LN2 + (2 * s + (s * s2) * horner(LOG_SERIES_24, s2));
}

function softplus24(x) {
    const t = exp24(x > 0 ? -x : x), u = 1 + t;
    return (x > 0 ? x : 0) + (log24(u) + (t - (u - 1)) / u);
}

//: clamp
const notBelow = (x, low) => (x < low ? low : x), notAbove = (x, high) => (x > high ? high : x);

//: unclamped_sigmoid24: reduce24 clamp
// For |x| < 700.
function unclampedSigmoid24(x) {
    const [scale, expm1R] = reduce24(-x);
    return 1 / (1 + (1 + expm1R) * scale);
}

//: silu24: unclamped_sigmoid24
function silu24(x) {
    x = notBelow(x, -150);
    return x * unclampedSigmoid24(notAbove(x, 150));
}

//: gelu_tanh
const TANH_LINEAR = 1.5957691216057308, TANH_CUBIC = 0.07135481627260025;

//: gelu_tanh24: gelu_tanh unclamped_sigmoid24
function gelu_tanh24(x) {
    x = notBelow(x, -15);
    const c = notAbove(x, 15);
    return x * unclampedSigmoid24(c * (TANH_LINEAR + TANH_CUBIC * (c * c)));
}

//: gelu: clamp
// x Phi(x), where Phi(-|x|) = power * rest and power = e^(-x^2/2).
const geluOf = (x, c, power, rest) => (c < 0 ? power * (c * rest) : x * (1 - power * rest));

//: gelu24: gelu reduce24
const NORMAL_SERIES_24 = [
    -5.449807786565925e-05, -4.131958116879494e-05, 0.0005557409689266869, -0.0008043650887185152,
    -0.002998516497582804, 0.020796033359215493, -0.06911767750995207, 0.16502030306944654, -0.3135332281783151,
    0.49530561793409533, -0.6653825014089028, 0.7691930497323033,
];

function gelu24(x) {
    x = notBelow(x, -15);
    const c = notAbove(x, 15), magnitude = c < 0 ? -c : c, [scale, expm1R] = reduce24((magnitude * magnitude) * -0.5);
    const r = 1 / (magnitude + 5);
    return geluOf(x, c, (1 + expm1R) * scale, r * horner(NORMAL_SERIES_24, 1 - 10 * r));
}

//: reduce53: powers horner
const EXP_SERIES = [
    1 / 6227020800, 1 / 479001600, 1 / 39916800, 1 / 3628800, 1 / 362880, 1 / 40320, 1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 0.5,
];

// x = k ln 2 + r, and e^(x - k ln 2) = 1 + r + rest: [k, r, rest].
function reduce53(x) {
    const k = (x * LOG2_E + ROUNDER) - ROUNDER, high = x - k * LN2_HIGH, low = k * LN2_LOW, r = high - low;
    const error = (high - r) - low;
    return [k, r, (r * r) * horner(EXP_SERIES, r) + (error + error * r)];
}

//: exp_parts: reduce53
// [e^x, what its rounding lost].
function expParts(x) {
    const [k, r, rest] = reduce53(x > 710 ? 710 : x < -746 ? -746 : x), expm1R = r + rest, expR = 1 + expm1R;
    const error = ((1 - expR) + expm1R) + ((r - expm1R) + rest);
    const half = (k * 0.5 + ROUNDER) - ROUNDER; // 2^k itself may lie outside the range where e^x does not
    const first = powerOf2(half), second = powerOf2(k - half);
    return [(expR * first) * second, (error * first) * second];
}

//: exp53: exp_parts
const exp53 = (x) => expParts(x)[0];

//: expm1_parts: reduce53
// [e^x - 1, what its rounding lost], for x <= 700.
function expm1Parts(x) {
    const [k, r, rest] = reduce53(x < -60 ? -60 : x), scale = powerOf2(k), expm1R = r + rest, error = (r - expm1R) + rest;
    const offset = scale - 1, product = scale * expm1R, t = offset + product;
    return [t, ((offset - t) + product) + scale * error];
}

//: expm1_53: expm1_parts
function expm1_53(x) {
    const [t, error] = expm1Parts(x);
    return x === 0 ? x : t + error;
}

//: sigmoid53: exp_parts
function sigmoid53(x) {
    const [t, error] = expParts(x < 0 ? x : -x), denominator = 1 + t, quotient = (x < 0 ? t : 1) / denominator;
    const denominatorError = ((1 - denominator) + t) + error, reciprocal = x < 0 ? 1 - quotient : quotient;
    return quotient + ((x < 0 ? error : 0) - quotient * denominatorError) * reciprocal;
}

//: tanh53: expm1_parts
function tanh53(x) {
    const magnitude = x < 0 ? -x : x, [t, error] = expm1Parts(2 * (magnitude > 22 ? 22 : magnitude));
    const denominator = t + 2, quotient = (t < 2 ? t : 2) / denominator;
    const denominatorError = ((2 - denominator) + t) + error;
    const correction = (error - quotient * denominatorError) * ((1 - quotient) * 0.5);
    const positive = t < 2 ? quotient + correction : 1 - quotient;
    return x === 0 ? x : x < 0 ? -positive : positive;
}

//: elu53: expm1_53
const elu53 = (x) => (x > 0 ? x : expm1_53(x));

//: selu53: selu expm1_53
const selu53 = (x) => (x > 0 ? SELU_SCALE * x : SELU_SCALE_ALPHA * expm1_53(x));

//: softplus53: exp53 log horner
const LOG_SERIES = [2 / 23, 2 / 21, 2 / 19, 2 / 17, 2 / 15, 2 / 13, 2 / 11, 2 / 9, 2 / 7, 2 / 5, 2 / 3];

function log53(u) {
    const [k, f] = reduceLog(u), s = f / (2 + f), s2 = s * s, halfF2 = (0.5 * f) * f;
    return k * LN2_HIGH - ((halfF2 - (s * (halfF2 + s2 * horner(LOG_SERIES, s2)) + k * LN2_LOW)) - f);
}

function softplus53(x) {
    const t = exp53(x > 0 ? -x : x), u = 1 + t;
    return (x > 0 ? x : 0) + (log53(u) + (t - (u - 1)) / u);
}

//: scaled_sigmoid: sigmoid53 clamp
// [s, scale]: s * scale = sigmoid(x), and s a normal number even where that is subnormal, for x > -900.
const EXP_MINUS_211 = 2.3113425714217192e-92;
const scaledSigmoid = (x) => (x < -700 ? [sigmoid53(x + 211), EXP_MINUS_211] : [sigmoid53(x), 1]);

//: silu53: scaled_sigmoid
function silu53(x) {
    x = notBelow(x, -760);
    const [s, scale] = scaledSigmoid(notAbove(x, 760));
    return (x * s) * scale;
}

//: gelu_tanh53: gelu_tanh scaled_sigmoid two_product two_sum
function gelu_tanh53(x) {
    x = notBelow(x, -22);
    const c = notAbove(x, 22), [square, squareError] = twoProduct(c, c), [cubic, cubicError] = twoProduct(TANH_CUBIC, square);
    const [factor, factorError] = twoSum(TANH_LINEAR, cubic), [argument, argumentError] = twoProduct(c, factor);
    const error = argumentError + c * (factorError + (cubicError + TANH_CUBIC * squareError));
    const [d, scale] = scaledSigmoid(argument), s = d + (d * (1 - d)) * error;
    return (x * s) * scale;
}

//: gelu53: gelu exp53 two_product
const NORMAL_SERIES = [
    -2.5367952588054566e-09, -5.555508754739509e-09, 2.2868392704037218e-08, 4.9965685038527003e-08,
    -1.7759706356446754e-07, -2.674174267458231e-07, 1.4839512488039212e-06, 4.4610173421342805e-07,
    -1.2118984023322596e-05, 1.6320087099904444e-05, 7.141489108719315e-05, -0.00032452267992445484,
    0.0002696039902509786, 0.0024429826792452592, -0.013923510564086429, 0.04509758081442397, -0.10970308995884434,
    0.2178724328579839, -0.36704906529361536, 0.5355964890624941, -0.6851834205743381, 0.7737696342764068,
];

function gelu53(x) {
    x = notBelow(x, -39);
    const c = notAbove(x, 39), magnitude = c < 0 ? -c : c, [square, error] = twoProduct(magnitude, magnitude);
    const power = exp53(square * -0.5), r = 1 / (magnitude + 5.5);
    return geluOf(x, c, power - power * (error * 0.5), r * horner(NORMAL_SERIES, 1 - 11 * r));
}

//: softmax24: exp24 softmax
const exp = exp24;

//: softmax53: exp53 softmax
const exp = exp53;

//: softmax
function softmax(z) {
    let m = z[0];
    const s = new Real(2); // [the total, a chunk's sum]
    for (let j = 1; j < z.length; j++) m = z[j] > m ? z[j] : m;
    for (let j = 0; j < z.length; j++) z[j] = z[j] - m;
    for (let j = 0; j < z.length; j++) z[j] = exp(z[j]);
    for (let start = 0; start < z.length; start += CHUNK) {
        s[1] = 0;
        for (let j = start; j < Math.min(start + CHUNK, z.length); j++) s[1] = s[1] + z[j];
        s[0] = s[0] + s[1];
    }
    for (let j = 0; j < z.length; j++) z[j] = z[j] / s[0];
}
