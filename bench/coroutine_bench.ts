// What a step of a coroutine costs, beside `await` and other runners of generators. Where it
// need not wait, a run has fewer steps than make a coroutine give way for a turn.
import co from "npm:co@^4.6.0";
import { call, run, until } from "npm:effection@^4.1.0";
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

const coYieldsReady = co.wrap(function* () {
  const promise = Promise.resolve(1); // it takes no plain value
  for (let i = 0; i < STEPS; i++) yield promise;
});

// deno-lint-ignore require-yield -- the ready counterpart of `child`
const coChild = co.wrap(function* () {
  return 1;
});

const coYieldsChild = co.wrap(function* () {
  for (let i = 0; i < STEPS / 2; i++) yield coChild();
});

function* effectionReady() {
  const promise = Promise.resolve(1);
  for (let i = 0; i < STEPS; i++) yield* until(promise);
}

// deno-lint-ignore require-yield -- the ready counterpart of `child`
function* effectionChild() {
  return 1;
}

function* effectionCalls() {
  for (let i = 0; i < STEPS / 2; i++) yield* call(effectionChild);
}

const waits = coroutine(function* () {
  for (let i = 0; i < STEPS; i++) {
    const future = new Future<number>();
    queueMicrotask(() => future.setResult(i));
    yield* future;
  }
});

async function awaitsPending(): Promise<void> {
  for (let i = 0; i < STEPS; i++) {
    const { promise, resolve } = Promise.withResolvers<number>();
    queueMicrotask(() => resolve(i));
    await promise;
  }
}

const coWaits = co.wrap(function* () {
  for (let i = 0; i < STEPS; i++) {
    const { promise, resolve } = Promise.withResolvers<number>();
    queueMicrotask(() => resolve(i));
    yield promise;
  }
});

function* effectionWaits() {
  for (let i = 0; i < STEPS; i++) {
    const { promise, resolve } = Promise.withResolvers<number>();
    queueMicrotask(() => resolve(i));
    yield* until(promise);
  }
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

Deno.bench("900 yields of a done promise, co", { group: "ready value" }, async () => {
  await coYieldsReady();
});

Deno.bench("900 yield* of a done promise, effection", { group: "ready value" }, async () => {
  await run(effectionReady);
});

Deno.bench("450 awaits of an async function", { group: "ready call", baseline: true }, awaitsAsync);

Deno.bench("450 yield* of a ready coroutine", { group: "ready call" }, () => {
  delegatesToCoroutine();
});

Deno.bench("450 yields of a coroutine, co", { group: "ready call" }, async () => {
  await coYieldsChild();
});

Deno.bench("450 yield* of a call, effection", { group: "ready call" }, async () => {
  await run(effectionCalls);
});

Deno.bench("900 awaits of a pending promise", { group: "wait", baseline: true }, awaitsPending);

Deno.bench("900 yield* of a pending Future", { group: "wait" }, async () => {
  await waits();
});

Deno.bench("900 yields of a pending promise, co", { group: "wait" }, async () => {
  await coWaits();
});

Deno.bench("900 yield* of a pending promise, effection", { group: "wait" }, async () => {
  await run(effectionWaits);
});
