/** A job of version 3 in the simulation: it polls, holds by the number alone, and writes over whatever stands there. */
import { parseRecord } from "../../lib/lock/record.ts";
import { joined } from "../../lib/lock/v3_form.ts";
import { OBJECT } from "./network.ts";
import type { Chance } from "./random.ts";
import { Violation } from "./referee.ts";
import type { World } from "./world.ts";

/** It looks so often. */
const POLL_MS = 10_000;

/** One of them. It looks at the record, works when its number has come, and at its end writes that number plus one. */
export class V3Client {
  state: "waits" | "works" | "ends" | "over" = "waits";
  /** How often it worked. */
  worked = 0;
  #alive = true;
  readonly #chance: Chance;
  #sent = false;

  constructor(
    readonly world: World,
    readonly number: number,
    readonly workMs: number,
    /** Whether its end looks at the number first: later ones of version 3 do. */
    readonly looks: boolean,
  ) {
    this.#chance = world.stream(`v3-${number}`);
    world.strangers.push(`v3-${number}`);
    this.#poll();
  }

  /** Its machine is gone: whatever it has sent is under way. */
  kill(): void {
    this.#alive = false;
    if (this.state === "works") this.world.say(`v3-${this.number}`, "is killed at work");
    // What it sent last lands before anybody is told that the run is over.
    if (!this.#sent) this.state = "over";
  }

  #after(act: () => void): void {
    this.world.time.after(this.#chance.between(1, 50), () => this.#alive && act());
  }

  #next(): number | null {
    const stored = this.world.core.readRecord(OBJECT);
    return stored === null ? null : parseRecord(stored.text).next_build ?? null;
  }

  #poll(): void {
    this.#after(() => {
      const next = this.#next();
      if (next === null) {
        this.world.core.createRecord(OBJECT, joined(undefined, `${this.number}`));
        return this.#work();
      }
      if (next === this.number) return this.#work();
      this.world.time.after(POLL_MS, () => this.#alive && this.#poll());
    });
  }

  #work(): void {
    const { world } = this;
    this.state = "works";
    this.worked++;
    world.say(`v3-${this.number}`, "works");
    for (const client of world.clients) {
      const own = client.persona.config.orderKey === this.number;
      if (client.working !== null && !own) {
        throw new Violation(`v3-${this.number} works while ${client.persona.name} does`);
      }
    }
    world.time.after(this.workMs, () => this.#alive && this.#end());
  }

  #end(): void {
    this.state = "ends";
    const { world } = this;
    this.#after(() => {
      if (this.looks && this.#next() !== this.number) {
        this.state = "over";
        return;
      }
      this.#sent = true;
      // It lands whatever becomes of the process.
      world.time.after(this.#chance.between(1, 3000), () => {
        world.say(`v3-${this.number}`, `writes ${this.number + 1} over what stands there`);
        world.core.editRecord(OBJECT, joined(undefined, `${this.number + 1}`));
        this.state = "over";
      });
    });
  }
}
