import { assertEquals } from "@std/assert";
import { type Place, Pool, type PoolLimits } from "../../http/connection_pool.ts";
import { seeded } from "../_seeded.ts";

const LIMITS: PoolLimits = {
  maxActive: 2,
  maxActivePerKey: Infinity,
  maxIdle: 10,
  maxIdlePerKey: 10,
};

function pool(limits: Partial<PoolLimits> = {}): Pool<string> {
  return new Pool<string>({ ...LIMITS, ...limits });
}

function granted(...places: Place<string>[]): boolean[] {
  return places.map((place) => place.granted);
}

Deno.test("Pool.enter() grants places up to the limit, then in the order they came", () => {
  const its = pool();
  const [one, two, three, four] = ["a", "b", "a", "b"].map((key) => its.enter(key)) as [
    Place<string>,
    Place<string>,
    Place<string>,
    Place<string>,
  ];
  assertEquals(granted(one, two, three, four), [true, true, false, false]);
  assertEquals([its.active, its.waiting], [2, 2]);
  assertEquals(its.leave(two).granted, [three]);
  assertEquals(its.leave(one).granted, [four]);
  assertEquals([its.active, its.waiting], [2, 0]);
});

Deno.test("Pool.enter() gives the idle connection of its key that was used last", () => {
  const its = pool({ maxActive: 9 });
  const first = its.enter("a");
  const second = its.enter("a");
  its.leave(first, "one");
  its.leave(second, "two");
  assertEquals(its.idle, 2);
  assertEquals(its.enter("b").connection, null);
  assertEquals(["a", "a", "a"].map((key) => its.enter(key).connection), ["two", "one", null]);
  assertEquals(its.idle, 0);
});

Deno.test("Pool.enter() gives a fresh place no idle connection", () => {
  const its = pool();
  its.leave(its.enter("a"), "one");
  assertEquals(its.enter("a", true).connection, null);
  assertEquals(its.idle, 1);
});

Deno.test("Pool.leave() gives the connection to the place that waits for its key", () => {
  const its = pool({ maxActive: 1 });
  const one = its.enter("a");
  const two = its.enter("a");
  assertEquals(its.leave(one, "used"), { granted: [two], closed: [] });
  assertEquals([two.connection, its.idle], ["used", 0]);
});

Deno.test("Pool.leave() of a place that waits takes it out of the queue", () => {
  const its = pool({ maxActive: 1 });
  const one = its.enter("a");
  const two = its.enter("a");
  const three = its.enter("b");
  assertEquals(its.leave(two).granted, []);
  assertEquals(its.waiting, 1);
  assertEquals(its.leave(one).granted, [three]);
});

Deno.test("Pool.leave() a second time does nothing", () => {
  const its = pool({ maxActive: 1 });
  const one = its.enter("a");
  its.leave(one, "used");
  assertEquals(its.leave(one, "used"), { granted: [], closed: [] });
  assertEquals([its.active, its.idle], [0, 1]);
});

Deno.test("Pool lets others pass a key that is at its limit, and keeps the order within it", () => {
  const its = pool({ maxActive: 2, maxActivePerKey: 1 });
  const a1 = its.enter("a");
  const a2 = its.enter("a");
  const a3 = its.enter("a");
  const b1 = its.enter("b");
  const b2 = its.enter("b");
  const c1 = its.enter("c");
  assertEquals(granted(a1, a2, a3, b1, b2, c1), [true, false, false, true, false, false]);
  assertEquals(its.leave(b1).granted, [b2]);
  assertEquals(its.leave(a1).granted, [a2]); // came before c1
  assertEquals(its.leave(b2).granted, [c1]); // a is at its limit
  assertEquals(its.leave(a2).granted, [a3]);
  its.leave(a3);
  its.leave(c1);
  assertEquals([its.active, its.waiting, its.size], [0, 0, 0]);
});

Deno.test("Pool keeps the order where a place stood aside while all places were taken", () => {
  const its = pool({ maxActive: 2, maxActivePerKey: 1 });
  const a1 = its.enter("a");
  const a2 = its.enter("a");
  const b1 = its.enter("b");
  const c1 = its.enter("c");
  const a3 = its.enter("a");
  const d1 = its.enter("d");
  assertEquals(its.leave(a2).granted, []); // cancelled while it stood aside
  assertEquals(its.leave(a1).granted, [c1]);
  assertEquals(its.leave(b1).granted, [a3]);
  assertEquals(its.leave(c1).granted, [d1]);
});

Deno.test("Pool.leave() closes the oldest connection beyond the limits", () => {
  const all = pool({ maxActive: 9, maxIdle: 2 });
  const places = ["a", "b", "c"].map((key) => all.enter(key)) as [
    Place<string>,
    Place<string>,
    Place<string>,
  ];
  assertEquals(all.leave(places[0], "one").closed, []);
  assertEquals(all.leave(places[1], "two").closed, []);
  assertEquals(all.leave(places[2], "three").closed, ["one"]);
  assertEquals([all.idle, all.size], [2, 2]);

  const each = pool({ maxActive: 9, maxIdlePerKey: 1 });
  const [one, two] = [each.enter("a"), each.enter("a")];
  assertEquals(each.leave(one, "one").closed, []);
  assertEquals(each.leave(two, "two").closed, ["one"]);

  const none = pool({ maxIdle: 0 });
  assertEquals(none.leave(none.enter("a"), "one").closed, ["one"]);
  assertEquals([none.idle, none.size], [0, 0]);
});

Deno.test("Pool.expire() takes out the connections whose time is over", () => {
  const its = pool({ maxActive: 9 });
  const [one, two, three] = ["a", "a", "b"].map((key) => its.enter(key)) as [
    Place<string>,
    Place<string>,
    Place<string>,
  ];
  its.leave(one, "one", 30);
  its.leave(two, "two", 10);
  its.leave(three, "three", 20);
  assertEquals(its.nextExpiry(), 10);
  assertEquals(its.expire(9), []);
  assertEquals(its.expire(20), ["two", "three"]);
  assertEquals([its.idle, its.size, its.nextExpiry()], [1, 1, 30]);
  assertEquals(its.clear(), ["one"]);
  assertEquals([its.size, its.nextExpiry()], [0, Infinity]);
});

Deno.test("Pool.forget() forgets an idle connection, and knows nothing of others", () => {
  const its = pool();
  its.leave(its.enter("a"), "one");
  its.forget("two");
  assertEquals(its.idle, 1);
  its.forget("one");
  assertEquals([its.idle, its.size], [0, 0]);
  assertEquals(its.enter("a").connection, null);
});

// What must hold whatever happens: limits, order within a key, no place that waits for nothing.
Deno.test("Pool holds its limits and forgets nobody, in any order of events", () => {
  const random = seeded(1);
  for (let round = 0; round < 200; round++) {
    const limits = { maxActive: 1 + random(4), maxActivePerKey: 1 + random(3) };
    const its = pool({ ...limits, maxIdle: random(4), maxIdlePerKey: random(3) });
    const there: Place<string>[] = [];
    let connections = 0;
    for (let step = 0; step < 60; step++) {
      if (random(2) === 0 || there.length === 0) there.push(its.enter("abc"[random(3)]!));
      else {
        const [place] = there.splice(random(there.length), 1);
        its.leave(place!, place!.granted && random(2) === 0 ? `${connections++}` : null);
      }
      const active = there.filter((place) => place.granted);
      const perKey = (key: string) => active.filter((place) => place.key === key).length;
      assertEquals([its.active, its.waiting], [active.length, there.length - active.length]);
      assertEquals(active.length <= limits.maxActive, true);
      for (const key of "abc") {
        assertEquals(perKey(key) <= limits.maxActivePerKey, true);
        const ofKey = there.filter((place) => place.key === key);
        const flags = granted(...ofKey);
        assertEquals(flags, flags.toSorted((a, b) => Number(b) - Number(a))); // in order
        const waits = ofKey.some((place) => !place.granted);
        const room = active.length < limits.maxActive && perKey(key) < limits.maxActivePerKey;
        assertEquals(waits && room, false);
      }
    }
    for (const place of there) its.leave(place);
    its.clear();
    assertEquals([its.active, its.waiting, its.idle, its.size], [0, 0, 0, 0]);
  }
});
