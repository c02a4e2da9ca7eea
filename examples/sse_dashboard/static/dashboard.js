const NUMBERS = ["viewers", "requests", "lag", "memory"];
const WIDTH = 590;
const HEIGHT = 100;
const MAX_SAMPLES = 60;

const status = document.getElementById("status");
let samples = [];

const events = new EventSource("/events"); // it connects again by itself
events.onopen = () => status.textContent = "connected";
events.onerror = () => status.textContent = "disconnected, trying again";
events.addEventListener("sample", ({ data }) => {
  const sample = JSON.parse(data);
  if (sample.id <= samples.at(-1)?.id) samples = []; // the server was restarted
  samples = [...samples.slice(1 - MAX_SAMPLES), sample];
  for (const name of NUMBERS) document.getElementById(name).textContent = sample[name];
  draw();
});

function draw() {
  const values = samples.map(({ memory }) => memory);
  const top = 1.1 * Math.max(...values);
  const points = values.map((value, at) =>
    `${at * WIDTH / (MAX_SAMPLES - 1)},${Math.round(HEIGHT * (1 - value / top))}`
  );
  document.getElementById("line").setAttribute("points", points.join(" "));
}
