// What grows with how much there is, inside one process: timeouts that wait, routes, coroutines
// that wait for each other. Each part does a fixed number of steps, and what counts is the
// processor time of a step. Prints one line of JSON: `GrowthParts`.
import { cpuUsage } from "node:process";
import { coroutine, type CoroutineGenerator } from "../gen/mod.ts";
import { HTTPServerRequest } from "../http/mod.ts";
import { Future, IOLoop } from "../ioloop/mod.ts";
import { Application, RequestHandler, type Route } from "../web/mod.ts";

/** Microseconds of processor time for a step, by how much there is. */
export type Growth = readonly (readonly [size: number, microseconds: number])[];

/** All parts, by name. */
export interface GrowthParts {
  /** A timeout is added, and fires, while so many wait. */
  readonly timeouts: Growth;
  /** A request finds one of so many routes, by the kind of route. */
  readonly routes: Readonly<Record<RouteKind, Growth>>;
  /** The first request of an application with so many routes of all kinds, for each route. */
  readonly tables: Growth;
  /** A coroutine is called and returns, in a chain of so many that wait for each other. */
  readonly calls: Growth;
  /** The innermost of so many coroutines waits for a Future and goes on. */
  readonly steps: Growth;
}

/** What the paths of routes look like. */
const ROUTE_KINDS = {
  literal: {
    pattern: (at: number) => `/articles/${at}`,
    path: (at: number) => `/articles/${at}`,
  },
  "with parameters": {
    pattern: (at: number) => `/articles/${at}/:section/:id`,
    path: (at: number) => `/articles/${at}/news/17`,
  },
  regex: {
    pattern: (at: number) => `/articles/${at}/([a-z]+)/(\\d+)`,
    path: (at: number) => `/articles/${at}/news/17`,
  },
} as const;

/** One of these. */
export type RouteKind = keyof typeof ROUTE_KINDS;

const PENDING = [10, 1000, 100_000, 1_000_000];
const ROUTES = [5, 50, 500, 5000];
const DEPTHS = [1, 10, 100, 1000, 10_000];

/** Steps of a part, at most: more take too long where a step grows with the size. */
const STEPS = 20_000;

/** Routes that one part looks at, at most, with all its requests. */
const LOOKS = 5_000_000;

const TIMEOUTS_A_TURN = 100;

/** What has run once is compiled by then. */
const WARM_SHARE = 0.2;

/** Gives the microseconds of processor time for each of `steps` that `work` does. */
async function timed(steps: number, work: (steps: number) => Promise<void>): Promise<number> {
  await work(Math.ceil(steps * WARM_SHARE));
  const before = cpuUsage();
  await work(steps);
  const { user, system } = cpuUsage(before);
  return (user + system) / steps;
}

async function grow(
  sizes: readonly number[],
  measure: (size: number) => Promise<number>,
): Promise<Growth> {
  const growth: [number, number][] = [];
  for (const size of sizes) growth.push([size, await measure(size)]);
  return growth;
}

/** Spreads numbers from 0 to `bound` as if by chance, always alike. */
function spread(bound: number): () => number {
  let seed = 1;
  return () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor(seed / 2 ** 32 * bound);
  };
}

async function fireTimeouts(pending: number): Promise<number> {
  const loop = new IOLoop();
  const far = loop.time() + 3_600_000;
  const next = spread(3_600_000);
  for (let i = 0; i < pending; i++) loop.callAt(far + next(), () => {});
  return await timed(10 * STEPS, async (steps) => {
    let left = steps;
    const fire = () => void left--;
    // A callback keeps the loop turning, so that what is due need not wait for a timer of the
    // runtime: what counts is the heap.
    const add = () => {
      const due = loop.time();
      for (let i = 0; i < TIMEOUTS_A_TURN; i++) loop.callAt(due, fire);
      if (left > 0) loop.addCallback(add);
      else loop.stop();
    };
    add();
    await loop.start();
  });
}

class Page extends RequestHandler {}

function finds(kind: RouteKind, count: number): Promise<number> {
  const { pattern, path } = ROUTE_KINDS[kind];
  const routes = Array.from({ length: count }, (_, at): Route => [pattern(at), Page]);
  const router = new Application(routes).defaultRouter;
  const requests = Array.from(
    { length: Math.min(count, 500) },
    (_, at) => new HTTPServerRequest({ uri: path(Math.floor(at * count / Math.min(count, 500))) }),
  );
  const next = spread(requests.length);
  const steps = kind === "literal" ? STEPS : Math.min(STEPS, Math.ceil(LOOKS / count));
  return timed(steps, (steps) => {
    for (let i = 0; i < steps; i++) {
      if (router.findHandler(requests[next()]!) === null) throw new Error("no route was found");
    }
    return Promise.resolve();
  });
}

/** A third of the routes is of each kind, in turns. */
function makesTable(count: number): Promise<number> {
  const kinds = Object.values(ROUTE_KINDS);
  const routes = Array.from(
    { length: count },
    (_, at): Route => [kinds[at % kinds.length]!.pattern(at), Page],
  );
  const request = new HTTPServerRequest({ uri: "/articles/0" });
  const before = cpuUsage();
  new Application(routes).defaultRouter.findHandler(request);
  const { user, system } = cpuUsage(before);
  return Promise.resolve((user + system) / count);
}

const call: (depth: number) => Future<number> = coroutine(
  function* (depth: number): CoroutineGenerator<number> {
    return depth === 1 ? yield* pause() : (yield* call(depth - 1)) + 1;
  },
);

/** Is done in a microtask, so that who waits for it has to be called again. */
function pause(): Future<number> {
  const future = new Future<number>();
  queueMicrotask(() => future.setResult(1));
  return future;
}

async function callDown(depth: number): Promise<number> {
  const loop = new IOLoop();
  return await timed(
    STEPS,
    (steps) =>
      loop.run(function* () {
        for (let done = 0; done < steps; done += depth) yield* call(depth);
      }),
  );
}

const pauseBelow: (depth: number, times: number) => Future<void> = coroutine(
  function* (depth: number, times: number): CoroutineGenerator {
    if (depth > 1) yield* pauseBelow(depth - 1, times);
    else for (let i = 0; i < times; i++) yield* pause();
  },
);

async function stepBelow(depth: number): Promise<number> {
  const loop = new IOLoop();
  return await timed(STEPS, (steps) => loop.run(() => pauseBelow(depth, steps)));
}

async function measureAll(quick: boolean): Promise<GrowthParts> {
  const some = (sizes: readonly number[]) => quick ? sizes.slice(0, 2) : sizes;
  const routes: Partial<Record<RouteKind, Growth>> = {};
  for (const kind of Object.keys(ROUTE_KINDS) as RouteKind[]) {
    routes[kind] = await grow(some(ROUTES), (count) => finds(kind, count));
  }
  return {
    timeouts: await grow(some(PENDING), fireTimeouts),
    routes: routes as Record<RouteKind, Growth>,
    tables: await grow(some(ROUTES), makesTable),
    calls: await grow(some(DEPTHS), callDown),
    steps: await grow(some(DEPTHS), stepBelow),
  };
}

if (import.meta.main) {
  const parts = await measureAll(Deno.args.includes("--quick"));
  await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(parts)));
}
