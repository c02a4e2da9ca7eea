import { assert, assertEquals } from "@std/assert";
import * as gen from "../../gen/mod.ts";
import * as waterspout from "../../mod.ts";

const LOCKS = ["BoundedSemaphore", "Condition", "Event", "Lock", "Semaphore"];
const QUEUES = ["FifoStore", "LifoQueue", "PriorityQueue", "Queue", "QueueEmpty", "QueueFull"];

Deno.test("locks and queues are namespaces, so that nothing shadows the Event of the platform", () => {
  for (const face of [gen, waterspout]) {
    assertEquals(Object.keys(face.locks).toSorted(), LOCKS);
    assertEquals(Object.keys(face.queues).toSorted(), QUEUES);
    for (const name of [...LOCKS, ...QUEUES]) assert(!(name in face), `${name} is exported bare`);
  }
});
