import { assertEquals, assertRejects } from "@std/assert";
import { fakeLoop, type MemoryConn, memoryPair } from "../../testing/mod.ts";
import { CancelledError, type Future, type Transport } from "../../ioloop/mod.ts";
import { coroutine } from "../../gen/mod.ts";
import { raceToConnect } from "../../iostream/connect_race.ts";
import type { ResolvedAddress } from "../../iostream/mod.ts";

const V4: ResolvedAddress = { family: "ipv4", hostname: "10.0.0.1", port: 80 };
const V4_SECOND: ResolvedAddress = { family: "ipv4", hostname: "10.0.0.2", port: 80 };
const V6: ResolvedAddress = { family: "ipv6", hostname: "::1", port: 80 };

/** Is a network in which the test decides about each attempt. */
class Network {
  /** The addresses in the order of the attempts, each with the time of its attempt. */
  readonly tried: [hostname: string, at: number][] = [];
  /** The addresses whose attempts were given up. */
  readonly abandoned: string[] = [];
  readonly #attempts = new Map<string, PromiseWithResolvers<Transport>>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  readonly connect = ({ hostname }: ResolvedAddress, signal: AbortSignal): Promise<Transport> => {
    const attempt = Promise.withResolvers<Transport>();
    this.#attempts.set(hostname, attempt);
    this.tried.push([hostname, this.#now()]);
    signal.addEventListener("abort", () => this.abandoned.push(hostname));
    return attempt.promise;
  };

  /** Lets an attempt succeed and returns its connection. */
  answer({ hostname }: ResolvedAddress): MemoryConn {
    const [conn] = memoryPair();
    this.#attempts.get(hostname)!.resolve(conn);
    return conn;
  }

  /** Lets an attempt fail. */
  refuse({ hostname }: ResolvedAddress): void {
    this.#attempts.get(hostname)!.reject(new Deno.errors.ConnectionRefused(hostname));
  }
}

async function withRace(
  addresses: readonly ResolvedAddress[],
  body: (
    race: Future<Transport>,
    network: Network,
    tick: (ms: number) => Promise<void>,
  ) => Promise<void>,
): Promise<void> {
  const { loop, tick } = fakeLoop();
  const running = loop.start();
  const network = new Network(() => loop.time());
  try {
    await body(raceToConnect(addresses, network.connect, loop), network, tick);
  } finally {
    loop.stop();
    await running;
    loop.close();
  }
}

Deno.test("raceToConnect() tries the second family after 300 ms, and closes the loser", () =>
  withRace([V6, V4], async (race, network, tick) => {
    await tick(299);
    assertEquals(network.tried, [["::1", 0]]);
    await tick(1);
    assertEquals(network.tried, [["::1", 0], ["10.0.0.1", 300]]);
    const conn = network.answer(V4);
    assertEquals(await race, conn);
    assertEquals(network.abandoned, ["::1"]);
    const late = network.answer(V6); // it was on its way already
    await tick(0);
    assertEquals([late.closed(), conn.closed()], [true, false]);
  }));

Deno.test("raceToConnect() tries both families as soon as one attempt failed", () =>
  withRace([V4, V6, V4_SECOND], async (race, network, tick) => {
    await tick(10);
    network.refuse(V4);
    await tick(0);
    assertEquals(network.tried, [["10.0.0.1", 0], ["10.0.0.2", 10], ["::1", 10]]);
    await tick(1000);
    assertEquals(network.tried.length, 3);
    const conn = network.answer(V4_SECOND);
    assertEquals(await race, conn);
    assertEquals(network.abandoned, ["::1"]);
  }));

Deno.test("raceToConnect() leaves the second family alone when the first one answers", () =>
  withRace([V4, V6], async (race, network, tick) => {
    const conn = network.answer(V4);
    assertEquals(await race, conn);
    await tick(1000);
    assertEquals(network.tried, [["10.0.0.1", 0]]);
    assertEquals(network.abandoned, []);
  }));

Deno.test("raceToConnect() takes one of two that are connected at once, and closes the other", () =>
  withRace([V4, V6], async (race, network, tick) => {
    await tick(300);
    const conns = [network.answer(V4), network.answer(V6)];
    assertEquals(await race, conns[0]);
    await tick(0);
    assertEquals(conns.map((conn) => conn.closed()), [false, true]);
  }));

Deno.test("raceToConnect() fails with the error of the last attempt", () =>
  withRace([V4, V6], async (race, network, tick) => {
    network.refuse(V4);
    await tick(0);
    network.refuse(V6);
    await assertRejects(() => race.then(), Deno.errors.ConnectionRefused, "::1");
    assertEquals(network.abandoned, []);
  }));

Deno.test("raceToConnect() that is cancelled gives up every attempt", () =>
  withRace([V4, V6], async (race, network, tick) => {
    await tick(300);
    race.cancel();
    assertEquals(network.abandoned, ["10.0.0.1", "::1"]);
    await assertRejects(() => race.then(), CancelledError);
    const late = network.answer(V4);
    network.refuse(V6);
    await tick(1000);
    assertEquals([late.closed(), network.tried.length], [true, 2]);
  }));

Deno.test("raceToConnect() closes the connection of a coroutine that is cancelled before it got it", async () => {
  const { loop, tick } = fakeLoop();
  const running = loop.start();
  const network = new Network(() => loop.time());
  let got = false;
  const taker = coroutine(function* () {
    const race = raceToConnect([V4], network.connect, loop);
    race.addDoneCallback(() => taker.cancel()); // runs before the coroutine is resumed
    yield* race;
    got = true;
  })();
  await tick(0);
  const conn = network.answer(V4);
  await tick(0);
  assertEquals([got, taker.cancelled(), conn.closed()], [false, true, true]);
  loop.stop();
  await running;
  loop.close();
});

// The second attempt was forgotten along with the first, and giving it up threw a TypeError.
Deno.test("raceToConnect() tries an address again that is there twice, and can give that up", () =>
  withRace([V4, V4], async (race, network, tick) => {
    network.refuse(V4);
    await tick(0);
    assertEquals(network.tried.length, 2);
    race.cancel();
    assertEquals(network.abandoned, ["10.0.0.1"]);
    await assertRejects(() => race.then(), CancelledError);
  }));
