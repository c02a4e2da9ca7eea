/** Is a class that extends {@linkcode Configurable}, abstract or not. */
export type ConfigurableClass<C extends Configurable = Configurable> =
  & (abstract new () => C)
  & Pick<typeof Configurable, keyof typeof Configurable>;

/** Is what `initialize` of a class takes. */
export type ConfigurableOptions<C extends Configurable> = Parameters<C["initialize"]>[0];

interface Configuration {
  readonly implementation: ConfigurableClass | null; // null: the default one
  readonly options: Readonly<Record<string, unknown>>;
}

const configurations = new WeakMap<ConfigurableClass, Configuration>(); // by interface

/**
 * Is the base of an interface whose implementation is chosen when the program runs: `create`
 * of the interface makes an instance of the implementation that was configured, or of the
 * default one.
 *
 * An interface overrides `configurableBase` to return itself, and `configurableDefault`.
 * Implementations extend it and override `initialize`. An implementation may be an interface
 * with implementations of its own.
 *
 * @example Choose an implementation
 * ```ts
 * import { Configurable, type ConfigurableClass } from "@waterspout/waterspout/ioloop";
 * import { assertEquals } from "@std/assert";
 *
 * abstract class Greeter extends Configurable {
 *   static override configurableBase(): ConfigurableClass {
 *     return Greeter;
 *   }
 *   static override configurableDefault(): ConfigurableClass {
 *     return English;
 *   }
 *   name = "";
 *   override initialize({ name = "you" }: { name?: string }): void {
 *     this.name = name;
 *   }
 *   abstract greet(): string;
 * }
 * class English extends Greeter {
 *   greet(): string {
 *     return `Hello, ${this.name}`;
 *   }
 * }
 * class French extends Greeter {
 *   greet(): string {
 *     return `Bonjour, ${this.name}`;
 *   }
 * }
 * assertEquals(Greeter.create().greet(), "Hello, you");
 * Greeter.configure(French, { name: "Marie" });
 * assertEquals(Greeter.create().greet(), "Bonjour, Marie");
 * ```
 */
export abstract class Configurable {
  /** Returns the interface that this class is, or implements. */
  static configurableBase(): ConfigurableClass {
    throw new Error(`Cannot configure ${this.name}: it does not override configurableBase()`);
  }

  /** Returns the implementation that is used until another one is configured. */
  static configurableDefault(): ConfigurableClass {
    throw new Error(`Cannot configure ${this.name}: it does not override configurableDefault()`);
  }

  /** Returns the implementation that is used now. */
  static configuredClass(): ConfigurableClass {
    const base = this.configurableBase();
    return configurations.get(base)?.implementation ?? base.configurableDefault();
  }

  /**
   * Sets the implementation, null for the default one, and options for the instances that are
   * made through the interface. It forgets what was configured before.
   *
   * @throws {TypeError} when `implementation` does not extend the interface.
   */
  static configure<C extends Configurable>(
    this: ConfigurableClass<C>,
    implementation: ConfigurableClass<C> | null = null,
    options: ConfigurableOptions<C> = {},
  ): void {
    const base = this.configurableBase();
    if (implementation !== null && !extendsClass(implementation, base)) {
      throw new TypeError(
        `Cannot configure ${base.name}: ${Deno.inspect(implementation)} does not extend it`,
      );
    }
    configurations.set(base, { implementation, options });
  }

  /**
   * Makes an instance and initialises it. Of an interface it is one of the implementation, and
   * `options` are put over those that were configured; an implementation makes its own, and
   * knows nothing of these.
   */
  static create<C extends Configurable>(
    this: ConfigurableClass<C>,
    options: ConfigurableOptions<C> = {},
  ): C {
    const base = this.configurableBase();
    if (this !== base) return this._construct(options) as C;
    const implementation = base.configuredClass();
    const merged = { ...configurations.get(base)?.options, ...options };
    return (implementation.configurableBase() === base
      ? implementation._construct(merged)
      : implementation.create(merged)) as C;
  }

  /** Makes an instance of this very class, with all its options. @ignore */
  static _construct(options: Record<string, unknown>): Configurable {
    const instance = new (this as unknown as new () => Configurable)();
    instance.initialize(options);
    return instance;
  }

  /** Takes the options of a new instance; the base class ignores them. */
  initialize(_options: Record<string, unknown>): void {}
}

function extendsClass(type: unknown, base: ConfigurableClass): boolean {
  return typeof type === "function" &&
    (type === base || type.prototype instanceof base);
}
