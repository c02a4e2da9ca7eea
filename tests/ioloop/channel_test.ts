import { assert, assertEquals, assertThrows } from "@std/assert";
import { Channel, type ChannelLoop, IOLoop } from "../../ioloop/mod.ts";

/** Is a loop that dispatches only when told, and counts. */
class ManualLoop implements ChannelLoop {
  ready: Channel<unknown>[] = [];

  _enqueue(channel: Channel<unknown>): void {
    this.ready.push(channel);
  }

  turn(): void {
    const batch = this.ready;
    this.ready = [];
    for (const channel of batch) channel._dispatch();
  }
}

/** Makes a channel whose operations the test settles. */
function makeChannel(onReady: (channel: Channel<string>, events: number) => void = () => {}) {
  const loop = new ManualLoop();
  const operations: PromiseWithResolvers<string>[] = [];
  const events: number[] = [];
  const discarded: string[] = [];
  const channel: Channel<string> = new Channel<string>(loop, {
    begin() {
      const operation = Promise.withResolvers<string>();
      operations.push(operation);
      return operation.promise;
    },
    ready(which) {
      events.push(which);
      onReady(channel, which);
    },
    discard: (arrived) => discarded.push(arrived),
  });
  return { loop, channel, operations, events, discarded };
}

Deno.test("want(READ) starts one operation and no second while it is in flight", () => {
  const { channel, operations } = makeChannel();
  assertEquals(channel.interest, IOLoop.NONE);
  channel.want(IOLoop.READ);
  channel.want(IOLoop.READ);
  assertEquals(channel.interest, IOLoop.READ);
  assertEquals(operations.length, 1);
  assert(channel.inFlight);
});

Deno.test("Channel is told in the turn, again while what arrived is not taken", async () => {
  const { loop, channel, operations, events } = makeChannel();
  channel.want(IOLoop.READ);
  operations[0]!.resolve("one");
  await null;
  assertEquals(events, []);
  loop.turn();
  loop.turn();
  assertEquals(events, [IOLoop.READ, IOLoop.READ]);
  assertEquals(operations.length, 1);
  assertEquals(channel.take(), "one");
  assertEquals(channel.take(), undefined);
  loop.turn();
  assertEquals(events.length, 2);
});

Deno.test("Channel starts the next operation when the turn in which it was taken is over", async () => {
  const { loop, channel, operations } = makeChannel((channel) => {
    channel.take();
    assertEquals(operations.length, 1);
  });
  channel.want(IOLoop.READ);
  operations[0]!.resolve("one");
  await null;
  loop.turn();
  assertEquals(operations.length, 2);
});

Deno.test("want(NONE) keeps what the read in flight brings until READ is wanted again", async () => {
  const { loop, channel, operations, events } = makeChannel();
  channel.want(IOLoop.READ);
  channel.want(IOLoop.NONE);
  operations[0]!.resolve("one");
  await null;
  loop.turn();
  assertEquals(events, []);
  channel.want(IOLoop.READ);
  loop.turn();
  assertEquals(events, [IOLoop.READ]);
  assertEquals(channel.take(), "one");
  assertEquals(operations.length, 1);
});

Deno.test("take() throws what the operation failed with, once", async () => {
  const { loop, channel, operations, events } = makeChannel();
  channel.want(IOLoop.READ);
  operations[0]!.reject(new RangeError("mine"));
  await null;
  loop.turn();
  assertEquals(events, [IOLoop.READ]);
  assertThrows(() => channel.take(), RangeError, "mine");
  assertEquals(channel.take(), undefined);
});

Deno.test("Channel takes a begin() that throws for a failed operation", () => {
  const loop = new ManualLoop();
  const channel = new Channel<string>(loop, {
    begin() {
      throw new RangeError("mine");
    },
    ready() {},
  });
  channel.want(IOLoop.READ);
  assert(!channel.inFlight);
  loop.turn();
  assertThrows(() => channel.take(), RangeError, "mine");
});

Deno.test("want(WRITE) is told while no write is in flight", () => {
  const { loop, channel, events } = makeChannel();
  channel.want(IOLoop.WRITE);
  loop.turn();
  assertEquals(events, [IOLoop.WRITE]);
  channel.writing = true;
  loop.turn();
  assertEquals(events, [IOLoop.WRITE]);
  channel.writing = false;
  loop.turn();
  assertEquals(events, [IOLoop.WRITE, IOLoop.WRITE]);
});

Deno.test("Channel tells READ and WRITE together", async () => {
  const { loop, channel, operations, events } = makeChannel();
  channel.want(IOLoop.READ | IOLoop.WRITE);
  operations[0]!.resolve("one");
  await null;
  loop.turn();
  assertEquals(events, [IOLoop.READ | IOLoop.WRITE]);
});

Deno.test("close() drops what arrived, what arrives later, and calls nobody", async () => {
  const arrived = makeChannel();
  arrived.channel.want(IOLoop.READ);
  arrived.operations[0]!.resolve("arrived");
  await null;
  arrived.channel.close();
  arrived.channel.want(IOLoop.READ);
  arrived.loop.turn();
  assertEquals(arrived.discarded, ["arrived"]);
  assertEquals(arrived.channel.take(), undefined);

  const late = makeChannel();
  late.channel.want(IOLoop.READ);
  late.channel.close();
  late.operations[0]!.resolve("late");
  await null;
  late.loop.turn();
  assertEquals(late.discarded, ["late"]);
  assertEquals([...arrived.events, ...late.events], []);

  const failed = makeChannel();
  failed.channel.want(IOLoop.READ);
  failed.channel.close();
  failed.operations[0]!.reject(new Error("late"));
  await null;
  assertEquals(failed.channel.take(), undefined);
});
