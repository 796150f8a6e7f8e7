/**
 * The ingress filter: packets from given addresses are dropped or rejected before anything else sees them.
 *
 * Thread: the one that runs the kernel. `mk break` puts one rule on each side of a cut. `drop` covers ARP too, so that
 * the other machine looks dead. `reject` answers TCP with a reset and the rest with an ICMP error (inet/ip/reject.ts), and lets
 * resets and ICMP errors through, because they carry the rejection. An empty filter costs one comparison per packet.
 * A machine on the link is known by its MAC address as well: it may have addresses that are not in the rule (link-local,
 * autoconfigured, added later).
 */

export const FILTER_PASS = 0;
export const FILTER_DROP = 1;
export const FILTER_REJECT = 2;

/** A machine on one of our links. */
export interface IngressLink {
  readonly macHi: number;
  readonly macLo: number;
  /** Whether packets that it forwards for others are covered too, besides those whose source is on the link. */
  readonly all: boolean;
}

export interface IngressRule {
  readonly id: string;
  /** Source addresses, int32 of either family. */
  readonly from: readonly number[];
  readonly links?: readonly IngressLink[];
  readonly action: 'drop' | 'reject';
}

interface LinkVerdict extends IngressLink {
  readonly verdict: number;
}

export class IngressFilter {
  readonly #rules: Map<string, IngressRule> = new Map();
  readonly #verdicts: Map<number, number> = new Map();
  /** Few: searched in line. */
  #links: LinkVerdict[] = [];
  /** Whether there is any rule; read on the data path. */
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

  // cold: control
  list(): IngressRule[] {
    return [...this.#rules.values()];
  }

  /** `FILTER_*` for packets from `src`; a drop outweighs a reject. */
  verdict(src: number): number {
    return this.#verdicts.get(src) ?? FILTER_PASS;
  }

  /**
   * `FILTER_*` for a packet from `src` in a frame from that MAC address. `onLink`: it cannot have been forwarded (ARP, or a
   * link-local or unspecified source).
   */
  frameVerdict(src: number, macHi: number, macLo: number, onLink: boolean): number {
    let found = this.verdict(src);
    for (let i = 0; i < this.#links.length && found !== FILTER_DROP; i++) {
      const link = this.#links[i] as LinkVerdict;
      if (link.macLo === macLo && link.macHi === macHi && (link.all || onLink)) found = link.verdict;
    }
    return found;
  }

  // cold: configuration
  #rebuild(): void {
    this.#verdicts.clear();
    this.#links = [];
    for (const { from, action, links = [] } of this.#rules.values()) {
      const verdict = action === 'drop' ? FILTER_DROP : FILTER_REJECT;
      for (const link of links) this.#links.push({ ...link, verdict });
      for (const src of from) {
        if (action === 'drop') this.#verdicts.set(src, FILTER_DROP);
        else if (this.verdict(src) === FILTER_PASS) this.#verdicts.set(src, FILTER_REJECT);
      }
    }
    this.active = this.#verdicts.size > 0 || this.#links.length > 0;
  }
}
