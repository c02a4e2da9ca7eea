import type { Future, IOLoop, Timeout, Transport } from "../ioloop/mod.ts";
import { Handover } from "./_handover.ts";
import { type Action, DELAY_MS, HappyEyeballs } from "./happy_eyeballs.ts";
import type { ResolvedAddress } from "./resolver.ts";

/** Connects to one address; gives up when `signal` is aborted. */
export type ConnectFunction = (
  address: ResolvedAddress,
  signal: AbortSignal,
) => Promise<Transport>;

/**
 * Connects to one of the addresses by {@linkcode HappyEyeballs} and returns the Future of the
 * connection that was first. It fails with the error of the last attempt; cancelling gives up
 * every attempt.
 */
export function raceToConnect(
  addresses: readonly ResolvedAddress[],
  connect: ConnectFunction,
  loop: IOLoop,
): Future<Transport> {
  return new Race(addresses, connect, loop).start();
}

class Race {
  readonly #eyeballs: HappyEyeballs;
  readonly #connect: ConnectFunction;
  readonly #loop: IOLoop;
  readonly #attempts = new Map<ResolvedAddress, AbortController>();
  readonly #connected = new Map<ResolvedAddress, Transport>(); // reported, fate not known yet
  readonly #winner = new Handover<Transport>(() => this.#do(this.#eyeballs.giveUp()));
  #delay: Timeout | null = null;

  constructor(
    addresses: readonly ResolvedAddress[],
    connect: ConnectFunction,
    loop: IOLoop,
  ) {
    this.#eyeballs = new HappyEyeballs(addresses);
    this.#connect = connect;
    this.#loop = loop;
  }

  start(): Future<Transport> {
    this.#do(this.#eyeballs.start());
    return this.#winner;
  }

  #do(actions: readonly Action[]): void {
    for (const action of actions) {
      switch (action.kind) {
        case "attempt":
          this.#attempt(action.address);
          break;
        case "delay":
          this.#delay = this.#loop.callLater(DELAY_MS, () => {
            this.#delay = null;
            this.#do(this.#eyeballs.delayPassed());
          });
          break;
        case "endDelay":
          if (this.#delay !== null) this.#loop.removeTimeout(this.#delay);
          this.#delay = null;
          break;
        case "abandon":
          this.#abandon(action.address);
          break;
        case "succeed":
          this.#winner.deliver(this.#takeConnected(action.address)!);
          break;
        case "fail":
          this.#winner._settle(2, action.error);
          break;
      }
    }
  }

  #attempt(address: ResolvedAddress): void {
    const controller = new AbortController();
    this.#attempts.set(address, controller);
    // Forgotten before anything follows: a resolver may give the same address again.
    this.#connect(address, controller.signal).then(
      (transport) => {
        this.#attempts.delete(address);
        this.#connected.set(address, transport);
        this.#do(this.#eyeballs.connected(address));
      },
      (error) => {
        this.#attempts.delete(address);
        this.#do(this.#eyeballs.failed(address, error));
      },
    );
  }

  #abandon(address: ResolvedAddress): void {
    const transport = this.#takeConnected(address);
    if (transport !== undefined) transport.close();
    else this.#attempts.get(address)!.abort();
  }

  #takeConnected(address: ResolvedAddress): Transport | undefined {
    const transport = this.#connected.get(address);
    this.#connected.delete(address);
    return transport;
  }
}
