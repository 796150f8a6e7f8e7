/**
 * The ingress filter: packets from given addresses vanish, or are refused, before anything else sees them.
 *
 * Thread: the one that runs the kernel. `mk break` puts one rule on each side of a cut. `drop` swallows ARP too, so that
 * the other machine looks dead. `reject` answers TCP with a reset and the rest with an ICMP error (inet/refuse.ts), and lets
 * resets and ICMP errors through, because they are how a refusal is heard. An empty filter costs one comparison per packet.
 */

export const FILTER_PASS = 0;
export const FILTER_DROP = 1;
export const FILTER_REJECT = 2;

export interface IngressRule {
  readonly id: string;
  /** Source addresses, int32 of either family. */
  readonly from: readonly number[];
  readonly action: 'drop' | 'reject';
}

export class IngressFilter {
  readonly #rules: Map<string, IngressRule> = new Map();
  readonly #verdicts: Map<number, number> = new Map();
  /** Whether there is any rule: what the data path looks at. */
  active = false;

  /** Add a rule; one of the same id is replaced. */
  add(rule: IngressRule): void {
    this.#rules.set(rule.id, rule);
    this.#rebuild();
  }

  /** False when there is no rule of that id. */
  remove(id: string): boolean {
    const known = this.#rules.delete(id);
    if (known) this.#rebuild();
    return known;
  }

  /** Call `mark` with every address kept here. */
  markAddresses(mark: (address: number) => void): void {
    for (const src of this.#verdicts.keys()) mark(src);
  }

  list(): IngressRule[] {
    return [...this.#rules.values()];
  }

  /** `FILTER_*` for packets from `src`; a drop outweighs a reject. */
  verdict(src: number): number {
    return this.#verdicts.get(src) ?? FILTER_PASS;
  }

  #rebuild(): void {
    this.#verdicts.clear();
    for (const { from, action } of this.#rules.values()) {
      for (const src of from) {
        if (action === 'drop') this.#verdicts.set(src, FILTER_DROP);
        else if (this.verdict(src) === FILTER_PASS) this.#verdicts.set(src, FILTER_REJECT);
      }
    }
    this.active = this.#verdicts.size > 0;
  }
}
