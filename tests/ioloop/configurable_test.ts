import { assertEquals, assertInstanceOf, assertStrictEquals, assertThrows } from "@std/assert";
import { assertType, type IsExact } from "@std/testing/types";
import { Configurable, type ConfigurableClass } from "../../ioloop/mod.ts";

interface StoreOptions {
  size?: number;
}

abstract class Store extends Configurable {
  static override configurableBase(): ConfigurableClass {
    return Store;
  }

  static override configurableDefault(): ConfigurableClass {
    return MemoryStore;
  }

  size: number | undefined;

  override initialize({ size }: StoreOptions): void {
    this.size = size;
  }
}

class MemoryStore extends Store {}

class NullStore extends Store {}

/** An implementation of Store that has implementations of its own. */
abstract class DiskStore extends Store {
  static override configurableBase(): ConfigurableClass {
    return DiskStore;
  }

  static override configurableDefault(): ConfigurableClass {
    return FileStore;
  }
}

class FileStore extends DiskStore {}

class BlockStore extends DiskStore {}

/** Runs `body` and resets what it configured. */
function configuring(body: () => void): void {
  try {
    body();
  } finally {
    Store.configure(null);
    DiskStore.configure(null);
  }
}

Deno.test("Configurable.create() makes the default implementation", () => {
  const store = Store.create({ size: 1 });
  assertType<IsExact<typeof store, Store>>(true);
  assertInstanceOf(store, MemoryStore);
  assertEquals(store.size, 1);
  assertEquals(Store.create().size, undefined);
  assertStrictEquals(Store.configuredClass(), MemoryStore);
});

Deno.test("Configurable.configure() sets the implementation, null resets it", () => {
  configuring(() => {
    Store.configure(NullStore);
    assertInstanceOf(Store.create(), NullStore);
    assertStrictEquals(Store.configuredClass(), NullStore);
    assertStrictEquals(MemoryStore.configuredClass(), NullStore); // it is asked of the interface
    Store.configure(null);
    assertInstanceOf(Store.create(), MemoryStore);
    Store.configure(NullStore);
    Store.configure();
    assertInstanceOf(Store.create(), MemoryStore);
  });
});

Deno.test("Configurable.configure() sets options, over which create() puts its own", () => {
  configuring(() => {
    Store.configure(null, { size: 3 });
    assertEquals(Store.create().size, 3);
    assertEquals(Store.create({ size: 4 }).size, 4);
    Store.configure(NullStore, { size: 5 });
    assertEquals(Store.create().size, 5);
    Store.configure(NullStore);
    assertEquals(Store.create().size, undefined);
  });
});

Deno.test("Configurable.create() of an implementation ignores what was configured", () => {
  configuring(() => {
    Store.configure(NullStore, { size: 3 });
    const store = MemoryStore.create();
    assertType<IsExact<typeof store, MemoryStore>>(true);
    assertInstanceOf(store, MemoryStore);
    assertEquals(store.size, undefined);
    assertEquals(NullStore.create().size, undefined);
    assertEquals(NullStore.create({ size: 1 }).size, 1);
  });
});

Deno.test("Configurable has levels that are configured independently", () => {
  configuring(() => {
    Store.configure(DiskStore, { size: 1 });
    const outer = Store.create();
    assertInstanceOf(outer, FileStore);
    assertEquals(outer.size, 1);
    DiskStore.configure(BlockStore, { size: 2 });
    assertInstanceOf(Store.create(), BlockStore);
    assertEquals(Store.create().size, 1); // the outer options are put over the inner ones
    Store.configure(null);
    assertInstanceOf(Store.create(), MemoryStore);
    assertInstanceOf(DiskStore.create(), BlockStore);
    assertEquals(DiskStore.create().size, 2);
  });
});

Deno.test("Configurable.configure() refuses a class that does not extend the interface", () => {
  configuring(() => {
    for (const stranger of [MemoryStore, Date, Configurable, () => {}, "MemoryStore", {}]) {
      assertThrows(
        () => DiskStore.configure(stranger as never),
        TypeError,
        "Cannot configure DiskStore",
      );
    }
    assertInstanceOf(DiskStore.create(), FileStore);
  });
});

Deno.test("Configurable asks its interfaces to name themselves and their default", () => {
  class Nameless extends Configurable {}
  class Empty extends Configurable {
    static override configurableBase(): ConfigurableClass {
      return Empty;
    }
  }
  assertThrows(() => Nameless.create(), Error, "Nameless: it does not override configurableBase()");
  assertThrows(() => Empty.create(), Error, "Empty: it does not override configurableDefault()");
  Empty.configure(Empty);
  assertInstanceOf(Empty.create({ any: 1 }), Empty);
});
