const POOL_SIZE = 4096; // asking the platform costs 0.5 us, for 4 bytes or 4 KiB

/** Gives out masks that nobody can foresee (RFC 6455 10.3). */
export class RandomMasks {
  #pool: Uint8Array<ArrayBuffer> | null = null; // made with the first mask
  #used = POOL_SIZE;
  readonly #mask = new Uint8Array(4);

  /** Returns the next mask; it is overwritten by the one after it. */
  next(): Uint8Array {
    if (this.#used === POOL_SIZE) {
      crypto.getRandomValues(this.#pool ??= new Uint8Array(POOL_SIZE));
      this.#used = 0;
    }
    const mask = this.#mask;
    const pool = this.#pool!;
    for (let i = 0; i < 4; i++) mask[i] = pool[this.#used++]!;
    return mask;
  }
}
