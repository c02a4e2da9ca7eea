import { Semaphore } from "./semaphore.ts";

/** Is a {@linkcode Semaphore} that notices when more is given back than was taken. */
export class BoundedSemaphore extends Semaphore {
  readonly #bound: number;

  /**
   * Makes one with `value` permits.
   *
   * @throws {RangeError} when `value` is not an integer or below 0.
   */
  constructor(value: number = 1) {
    super(value);
    this.#bound = value;
  }

  /**
   * Gives a permit back.
   *
   * @throws {RangeError} when all of them are there.
   */
  override release(): void {
    if (this._value >= this.#bound) {
      throw new RangeError(`Cannot release: all ${this.#bound} permits are there`);
    }
    super.release();
  }
}
