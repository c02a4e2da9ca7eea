import { assertEquals, assertInstanceOf } from "@std/assert";
import { type Action, HappyEyeballs } from "../../iostream/happy_eyeballs.ts";
import type { ResolvedAddress } from "../../iostream/mod.ts";

const ADDRESSES: Readonly<Record<string, ResolvedAddress>> = {
  a1: { family: "ipv4", hostname: "10.0.0.1", port: 80 },
  a2: { family: "ipv4", hostname: "10.0.0.2", port: 80 },
  b1: { family: "ipv6", hostname: "::1", port: 80 },
  b2: { family: "ipv6", hostname: "::2", port: 80 },
};

function nameOf(address: ResolvedAddress): string {
  return Object.keys(ADDRESSES).find((name) => ADDRESSES[name] === address)!;
}

function show(action: Action): string {
  if ("address" in action) return `${action.kind} ${nameOf(action.address)}`;
  return action.kind === "fail" ? `fail with ${action.error}` : action.kind;
}

// Plays `events` and returns what is to be done after each, in words. An event is "start",
// "delay", "give up", "a1 ok" or "a1 error".
function play(names: string, events: readonly string[]): string[] {
  const eyeballs = new HappyEyeballs(names.split(" ").map((name) => ADDRESSES[name]!));
  return events.map((event) => {
    const [name, outcome] = event.split(" ");
    const address = ADDRESSES[name!]!;
    const actions = event === "start"
      ? eyeballs.start()
      : event === "delay"
      ? eyeballs.delayPassed()
      : event === "give up"
      ? eyeballs.giveUp()
      : outcome === "ok"
      ? eyeballs.connected(address)
      : eyeballs.failed(address, `${name}'s error`);
    return actions.map(show).join(", ");
  });
}

const TABLE: [what: string, addresses: string, [event: string, actions: string][]][] = [
  ["one address that answers", "a1", [
    ["start", "attempt a1"],
    ["a1 ok", "succeed a1"],
  ]],
  ["one address that fails", "a1", [
    ["start", "attempt a1"],
    ["a1 error", "fail with a1's error"],
  ]],
  ["immediate success leaves the second family alone", "a1 b1", [
    ["start", "attempt a1, delay"],
    ["a1 ok", "endDelay, succeed a1"],
  ]],
  ["a second try in the same family", "a1 a2", [
    ["start", "attempt a1"],
    ["a1 error", "attempt a2"],
    ["a2 ok", "succeed a2"],
  ]],
  ["both families after a failure", "a1 b1 a2 b2", [
    ["start", "attempt a1, delay"],
    ["a1 error", "attempt a2, endDelay, attempt b1"],
    ["b1 ok", "abandon a2, succeed b1"],
  ]],
  ["both families after the delay", "b1 a1", [
    ["start", "attempt b1, delay"],
    ["delay", "attempt a1"],
    ["a1 ok", "abandon b1, succeed a1"],
  ]],
  ["the first family may still win after the delay", "a1 b1", [
    ["start", "attempt a1, delay"],
    ["delay", "attempt b1"],
    ["a1 ok", "abandon b1, succeed a1"],
  ]],
  ["a failure after the delay starts no second one of the other family", "a1 a2 b1 b2", [
    ["start", "attempt a1, delay"],
    ["delay", "attempt b1"],
    ["a1 error", "attempt a2"],
    ["b1 error", "attempt b2"],
    ["b2 ok", "abandon a2, succeed b2"],
  ]],
  ["a loser that connects late is closed", "a1 b1", [
    ["start", "attempt a1, delay"],
    ["delay", "attempt b1"],
    ["b1 ok", "abandon a1, succeed b1"],
    ["a1 ok", "abandon a1"],
  ]],
  ["a loser that fails late says nothing", "a1 b1", [
    ["start", "attempt a1, delay"],
    ["delay", "attempt b1"],
    ["b1 ok", "abandon a1, succeed b1"],
    ["a1 error", ""],
  ]],
  ["all fail: the last error counts", "a1 a2 b1 b2", [
    ["start", "attempt a1, delay"],
    ["a1 error", "attempt a2, endDelay, attempt b1"],
    ["b1 error", "attempt b2"],
    ["b2 error", ""],
    ["a2 error", "fail with a2's error"],
  ]],
  ["giving up abandons every attempt", "a1 b1", [
    ["start", "attempt a1, delay"],
    ["delay", "attempt b1"],
    ["give up", "abandon a1, abandon b1"],
    ["b1 error", ""],
    ["a1 ok", "abandon a1"],
    ["give up", ""],
  ]],
  ["giving up within the delay ends it", "a1 b1", [
    ["start", "attempt a1, delay"],
    ["give up", "endDelay, abandon a1"],
    ["delay", ""],
  ]],
];

for (const [what, addresses, steps] of TABLE) {
  Deno.test(`HappyEyeballs: ${what}`, () => {
    assertEquals(play(addresses, steps.map(([event]) => event)), steps.map(([, then]) => then));
  });
}

Deno.test("HappyEyeballs without an address fails at once", () => {
  const [action, ...others] = new HappyEyeballs([]).start();
  assertEquals(others, []);
  assertInstanceOf(action?.kind === "fail" && action.error, Deno.errors.NotFound);
});

// Whatever comes in whatever order: one outcome, no attempt forgotten, none tried twice.
Deno.test("HappyEyeballs ends once and forgets nothing in any order of events", () => {
  let runs = 0;
  const explore = (path: readonly number[]): void => {
    const running = new Set<string>();
    const tried: string[] = [];
    let delayed = false;
    let outcomes = 0;
    const names = ["a1", "b1", "a2", "b2"];
    const eyeballs = new HappyEyeballs(names.map((name) => ADDRESSES[name]!));
    const take = (actions: readonly Action[]) => {
      for (const action of actions) {
        if (action.kind === "attempt") {
          running.add(nameOf(action.address));
          tried.push(nameOf(action.address));
        } else if (action.kind === "abandon") running.delete(nameOf(action.address));
        else if (action.kind === "delay") delayed = true;
        else if (action.kind === "endDelay") delayed = false;
        else outcomes++;
      }
      if (outcomes > 0) assertEquals([...running, delayed], [false], "all is put away");
    };
    take(eyeballs.start());
    for (let step = 0;; step++) {
      const choices: (() => void)[] = [];
      for (const name of running) {
        const address = ADDRESSES[name]!;
        choices.push(() => {
          running.delete(name); // it is over by itself
          take(eyeballs.failed(address, name));
        }, () => {
          running.delete(name);
          take(eyeballs.connected(address));
        });
      }
      if (delayed) {
        choices.push(() => {
          delayed = false;
          take(eyeballs.delayPassed());
        });
      }
      if (choices.length === 0) break;
      if (step === path.length) {
        for (let i = 0; i < choices.length; i++) explore([...path, i]);
        return;
      }
      choices[path[step]!]!();
    }
    runs++;
    assertEquals(outcomes, 1, path.join());
    assertEquals(new Set(tried).size, tried.length);
  };
  explore([]);
  assertEquals(runs > 30, true, `${runs} runs`);
});
