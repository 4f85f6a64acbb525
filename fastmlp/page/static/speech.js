// What screen readers hear: the answer at most once a second, and the neuron that the keys are on.

const PAUSE = 1000; // milliseconds

let last = -PAUSE,
  waiting = null,
  heard = "";

export function sayAnswer(text) {
  if (text === heard) return;
  clearTimeout(waiting);
  waiting = setTimeout(
    () => {
      last = performance.now();
      heard = text;
      document.getElementById("speak").textContent = text;
    },
    Math.max(0, last + PAUSE - performance.now()),
  );
}

export function sayNeuron(text) {
  document.getElementById("speak-neuron").textContent = text;
}
