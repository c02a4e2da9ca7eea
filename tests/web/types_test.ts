import { assertType, type IsExact } from "@std/testing/types";
import type { CoroutineGenerator } from "../../gen/mod.ts";
import { RequestHandler, type Writable } from "../../web/mod.ts";

interface Row {
  readonly id: number;
}

type Takes<T> = T extends Writable ? true : false;

Deno.test("Writable takes text, bytes and objects of any type, and no list, function or promise", () => {
  assertType<IsExact<Takes<string | Uint8Array | Row | { id: number }>, true>>(true);
  assertType<IsExact<Takes<Record<string, unknown>>, true>>(true);
  assertType<IsExact<Takes<number>, false>>(true);
  assertType<IsExact<Takes<null>, false>>(true);
  assertType<IsExact<Takes<readonly Row[]>, false>>(true);
  assertType<IsExact<Takes<() => Row>, false>>(true);
  assertType<IsExact<Takes<Promise<Row>>, false>>(true);
});

Deno.test("PathArgument lets methods declare text, null and objects, and no numbers", () => {
  class _Taking extends RequestHandler {
    override *get(_id: string, _rest: string | null): CoroutineGenerator {}
    override put(_id?: string): void {}
    override post({ id }: { id: string }): void {
      this.write(id);
    }
    override patch(_named: { readonly [name: string]: string | null }): void {}
    // @ts-expect-error: a group is text
    override delete(_id: number): void {}
  }
});
