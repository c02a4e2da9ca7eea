import { assert, assertEquals } from "@std/assert";
import { appLog, Future } from "../../ioloop/mod.ts";
import { expectLog } from "../../testing/mod.ts";
import {
  type Backplane,
  type BackplaneListener,
  type PreparedMessage,
  type RoomMember,
  Topics,
} from "../../websocket/mod.ts";

class Member implements RoomMember {
  closing = false;
  readonly got: [binary: boolean, text: string][] = [];
  readonly listeners = new Set<() => void>();

  writeMessage({ binary, _payload }: PreparedMessage): Future<void> {
    this.got.push([binary, new TextDecoder().decode(_payload)]);
    return Future.resolved(undefined);
  }

  addCloseListener(listener: () => void): void {
    this.listeners.add(listener);
  }

  removeCloseListener(listener: () => void): void {
    this.listeners.delete(listener);
  }

  end(): void {
    this.closing = true;
    for (const listener of this.listeners) listener();
  }
}

/** Carries messages between any number of servers in this process, in its own time. */
class Hub {
  readonly log: string[] = [];
  readonly #listeners = new Map<string, Set<BackplaneListener>>();
  /** What each operation waits for. */
  gate: Promise<void> = Promise.resolve();

  plane(name: string): Backplane {
    const own = new Map<string, BackplaneListener>();
    return {
      publish: async (topic, data) => {
        await this.gate;
        for (const listener of this.#listeners.get(topic) ?? []) listener(data);
      },
      subscribe: async (topic, listener) => {
        this.log.push(`${name} subscribes ${topic}`);
        await this.gate;
        own.set(topic, listener);
        const listeners = this.#listeners.get(topic) ?? new Set();
        this.#listeners.set(topic, listeners.add(listener));
      },
      unsubscribe: async (topic) => {
        this.log.push(`${name} unsubscribes ${topic}`);
        await this.gate;
        this.#listeners.get(topic)?.delete(own.get(topic)!);
      },
    };
  }
}

async function settle(): Promise<void> {
  for (let round = 0; round < 5; round++) await new Promise((resolve) => setImmediate(resolve));
}

Deno.test("Topics.publish() reaches the members of the topic on this server", () => {
  const topics = new Topics<Member>();
  const [one, two] = [new Member(), new Member()];
  assertEquals([topics.subscribe("a", one), topics.subscribe("a", two)], [true, true]);
  assertEquals([topics.subscribe("b", one), topics.subscribe("b", one)], [true, false]);
  assertEquals([topics.size("a"), topics.size("b"), topics.size("c")], [2, 1, 0]);
  assertEquals(topics.publish("a", "hello", { except: two }), 1);
  assertEquals(topics.publish("c", "nobody"), 0);
  assertEquals([one.got, two.got], [[[false, "hello"]], []]);
  assertEquals([topics.unsubscribe("a", one), topics.unsubscribe("a", one)], [true, false]);
  two.end();
  assertEquals(topics.topics(), ["b"]);
  assertEquals(topics.subscribe("d", two), false);
  assertEquals(topics.topics(), ["b"]);
});

Deno.test("Topics.publish() reaches other servers through the backplane, and each member once", async () => {
  const hub = new Hub();
  const here = new Topics<Member>({ backplane: hub.plane("here") });
  const there = new Topics<Member>({ backplane: hub.plane("there") });
  const [one, two, other] = [new Member(), new Member(), new Member()];
  here.subscribe("a", one);
  there.subscribe("a", two);
  there.subscribe("b", other);
  await Promise.all([here.ready(), there.ready()]);
  assertEquals(here.publish("a", "text \u00e9"), 1);
  here.publish("a", new TextEncoder().encode("bytes"));
  there.publish("a", { from: "there" });
  await settle();
  const all: Member["got"] = [[false, "text \u00e9"], [true, "bytes"], [false, '{"from":"there"}']];
  assertEquals(one.got.toSorted(), all.toSorted());
  assertEquals(two.got.toSorted(), all.toSorted());
  assertEquals(other.got, []);
});

Deno.test("Topics listens to a topic on the backplane only while somebody is subscribed", async () => {
  const hub = new Hub();
  const topics = new Topics<Member>({ backplane: hub.plane("x") });
  const [one, two] = [new Member(), new Member()];
  topics.subscribe("a", one);
  topics.subscribe("a", two);
  await topics.ready();
  one.end();
  two.end();
  await topics.ready();
  assertEquals(hub.log, ["x subscribes a", "x unsubscribes a"]);

  // Members come and go while an operation is in progress: in the end, what is wanted is so.
  hub.log.length = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  hub.gate = promise;
  const three = new Member();
  topics.subscribe("a", three);
  await settle();
  topics.unsubscribe("a", three);
  topics.subscribe("a", three);
  topics.unsubscribe("a", three);
  assertEquals(hub.log, ["x subscribes a"]);
  resolve();
  await topics.ready();
  assertEquals(hub.log, ["x subscribes a", "x unsubscribes a"]);
  topics.subscribe("a", three);
  topics.unsubscribe("a", three);
  topics.subscribe("a", three);
  await topics.ready();
  assertEquals(hub.log.slice(2), ["x subscribes a"]);
});

Deno.test("a backplane that fails is logged, and members here are served as before", async () => {
  const failing = () => Promise.reject(new Error("no redis"));
  const topics = new Topics<Member>({
    backplane: { publish: failing, subscribe: failing, unsubscribe: failing },
  });
  const member = new Member();
  const { matched } = await expectLog(appLog, /Cannot \w+ on the backplane.*no redis/, async () => {
    topics.subscribe("a", member);
    await topics.ready();
    assertEquals(topics.publish("a", "hello"), 1);
    topics.unsubscribe("a", member);
    await topics.ready();
    await settle();
  });
  assertEquals(matched.length, 3);
  assertEquals(member.got, [[false, "hello"]]);
});

Deno.test("what comes over the backplane and is no message is dropped", async () => {
  let listener: BackplaneListener | null = null;
  const nothing = () => Promise.resolve();
  const topics = new Topics<Member>({
    backplane: {
      publish: nothing,
      subscribe: (_topic, given) => {
        listener = given;
        return nothing();
      },
      unsubscribe: nothing,
    },
  });
  const member = new Member();
  topics.subscribe("a", member);
  await topics.ready();
  assert(listener !== null);
  const give = listener as BackplaneListener;
  give(new Uint8Array(0));
  give(new Uint8Array(16));
  await expectLog(appLog, "Cannot deliver", async () => {
    await give(Uint8Array.of(0, ...new Uint8Array(16), 0xff)); // text that is none
  });
  assertEquals(member.got, []);
  give(Uint8Array.of(0, ...new Uint8Array(16), 0x61));
  assertEquals(member.got, [[false, "a"]]);
});
