import type { IOLoop } from "../../ioloop/mod.ts";
import { fakeLoop } from "../../testing/mod.ts";

/** Runs `body` beside a started loop whose time stands still until `tick` moves it. */
export async function withFakeLoop(
  body: (tick: (ms: number) => Promise<void>, loop: IOLoop) => Promise<void>,
): Promise<void> {
  const { loop, tick } = fakeLoop();
  const done = loop.start();
  await body(tick, loop);
  loop.stop();
  await done;
  loop.close();
}
