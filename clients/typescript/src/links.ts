import type { Client as Channel } from "@grpc/grpc-js";
import type { Logger } from "./logger.js";
import type { Timing } from "./timing.js";
import type { Tls } from "./tls.js";

const CHECK_EVERY_MS = 10_000;

/** A channel, and how many calls use it. */
export interface Link {
  readonly channel: Channel;
  calls: number;
}

/** Gives each call a channel that shows the current certificates: a new one once its files have been renewed. */
export class Links {
  readonly #make: (tls: Tls | undefined) => Channel;
  readonly #timing: Timing;
  readonly #logger: Logger;
  readonly #left = new Set<Link>();
  #tls: Tls | undefined;
  #current: Link;
  #lookedAtMs: number;

  constructor(make: (tls: Tls | undefined) => Channel, tls: Tls | undefined, timing: Timing, logger: Logger) {
    this.#make = make;
    this.#tls = tls;
    this.#timing = timing;
    this.#logger = logger;
    this.#lookedAtMs = timing.monotonicMs();
    this.#current = { channel: make(tls), calls: 0 };
  }

  /** Returns the link for a call, which gives it back when it ends. */
  take(): Link {
    this.#renew();
    this.#current.calls += 1;
    return this.#current;
  }

  /** Notes the end of a call; a channel that was replaced closes with its last one. */
  giveBack(link: Link): void {
    link.calls -= 1;
    if (link.calls === 0 && this.#left.delete(link)) {
      link.channel.close();
    }
  }

  /** Closes every channel; attempts in progress continue. */
  close(): void {
    [this.#current, ...this.#left].forEach((link) => link.channel.close());
    this.#left.clear();
  }

  /** Reads the files again if the last look at them is long ago; what cannot be read changes nothing. */
  #renew(): void {
    const nowMs = this.#timing.monotonicMs();
    if (this.#tls === undefined || nowMs < this.#lookedAtMs + CHECK_EVERY_MS) {
      return;
    }
    this.#lookedAtMs = nowMs;
    try {
      const renewed = this.#tls.reread();
      if (renewed !== this.#tls) {
        this.#replace(renewed);
      }
    } catch (error) {
      this.#logger.warn(`the certificates are not renewed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #replace(renewed: Tls): void {
    const replaced = this.#current;
    this.#current = { channel: this.#make(renewed), calls: 0 };
    this.#tls = renewed;
    if (replaced.calls === 0) {
      replaced.channel.close();
    } else {
      this.#left.add(replaced);
    }
  }
}
