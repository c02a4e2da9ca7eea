// The loop by itself: what a turn costs, and a timeout among many. A function that a bench
// is to wait for must be `async`: that it returns a promise does not count.
import { IOLoop } from "../ioloop/mod.ts";

const TURNS = 10_000;

const loop = new IOLoop();

/** Runs `TURNS` turns with one callback each. */
async function turns(): Promise<void> {
  let left = TURNS;
  const next = () => {
    if (left-- > 0) loop.addCallback(next);
    else loop.stop();
  };
  next();
  await loop.start();
}

/** Calls back `TURNS` times in a row by way of `schedule`. */
async function chain(schedule: (callback: () => void) => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let left = TURNS;
  const next = () => {
    if (left-- > 0) schedule(next);
    else resolve();
  };
  next();
  await promise;
}

Deno.bench("10 000 microtasks", { group: "turn" }, async () => {
  await chain(queueMicrotask);
});

Deno.bench("10 000 setImmediate", { group: "turn", baseline: true }, async () => {
  await chain(setImmediate);
});

Deno.bench("10 000 turns of the loop, one callback each", { group: "turn" }, turns);

Deno.bench("the same, traced", { group: "turn" }, async () => {
  loop.trace.start();
  await turns();
  loop.trace.stop();
});

Deno.bench("one setTimeout and clearTimeout", { group: "timeout", baseline: true }, () => {
  clearTimeout(setTimeout(() => {}, 60_000));
});

for (const pending of [10, 10_000, 1_000_000]) {
  const filled = new IOLoop({ makeCurrent: false });
  const now = filled.time();
  let seed = 1;
  for (let i = 0; i < pending; i++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    filled.callAt(now + seed % 3_600_000, () => {});
  }
  const callback = () => {};
  Deno.bench(
    `one timeout added and removed, ${pending} pending`,
    { group: "timeout" },
    () => filled.removeTimeout(filled.callAt(now + 60_000, callback)),
  );
}

const MANY = 1_000_000;

Deno.bench("1 000 000 timeouts added, then removed", { group: "many timeouts" }, () => {
  const filled = new IOLoop({ makeCurrent: false });
  const now = filled.time();
  const callback = () => {};
  const timeouts = Array.from({ length: MANY }, (_, i) => filled.callAt(now + i, callback));
  for (const timeout of timeouts) filled.removeTimeout(timeout);
});
