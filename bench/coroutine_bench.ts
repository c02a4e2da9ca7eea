// What a step of a coroutine costs that need not wait. A run has fewer steps than make a
// coroutine give way for a turn.
import { coroutine, type CoroutineGenerator } from "../gen/mod.ts";
import { Future } from "../ioloop/mod.ts";

const STEPS = 900;

const ready = Future.resolved(1);

function* count(): Generator<number, void, unknown> {
  for (let i = 0; i < STEPS; i++) yield i;
}

const yieldsReady = coroutine(function* (): CoroutineGenerator {
  for (let i = 0; i < STEPS; i++) yield ready;
});

const delegatesToReady = coroutine(function* () {
  for (let i = 0; i < STEPS; i++) yield* ready;
});

const child = coroutine(function* () {
  return yield* ready;
});

const delegatesToCoroutine = coroutine(function* () {
  for (let i = 0; i < STEPS / 2; i++) yield* child(); // each counts as two steps
});

async function awaitsValue(): Promise<void> {
  for (let i = 0; i < STEPS; i++) await i;
}

// deno-lint-ignore require-await -- the ready counterpart of `child`
const asyncChild = async () => 1;

async function awaitsAsync(): Promise<void> {
  for (let i = 0; i < STEPS / 2; i++) await asyncChild();
}

Deno.bench("900 steps of a bare generator", { group: "ready value" }, () => {
  for (const _step of count());
});

Deno.bench("900 awaits of a value", { group: "ready value", baseline: true }, awaitsValue);

Deno.bench("900 yields of a ready Future", { group: "ready value" }, () => {
  yieldsReady();
});

Deno.bench("900 yield* of a ready Future", { group: "ready value" }, () => {
  delegatesToReady();
});

Deno.bench("450 awaits of an async function", { group: "ready call", baseline: true }, awaitsAsync);

Deno.bench("450 yield* of a ready coroutine", { group: "ready call" }, () => {
  delegatesToCoroutine();
});
