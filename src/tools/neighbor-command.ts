/**
 * The common part of arp(8) and ndp(8): hosts looked up, one entry shown, entries set and deleted, refusals in the tool's words.
 *
 * Thread: the command's. Each tool brings its usage, its family and the text of an entry.
 */

import { type AddressFamily, parseLinkAddress } from './address-text.ts';
import { refusalText } from './error-text.ts';
import { UsageError } from './getopt.ts';
import type { NeighborInfo } from './neighbor-text.ts';
import type { ToolContext } from './tool.ts';

export class NeighborCommand {
  readonly context: ToolContext;
  readonly #name: string;
  readonly #family: AddressFamily;
  readonly #usage: string;

  constructor(context: ToolContext, name: string, family: AddressFamily, usage: string) {
    this.context = context;
    this.#name = name;
    this.#family = family;
    this.#usage = usage;
  }

  entries(): Promise<NeighborInfo[]> {
    return this.context.kernel.neighbors(this.#family);
  }

  /** The address of a host; null when there is none, which was said. */
  async resolve(host: string): Promise<string | null> {
    const hosts = await this.context.hosts();
    const address = hosts.addressOf(host, this.#family);
    if (address === null) this.context.out.error(`${this.#name}: ${host}: Unknown host\n`);
    return address;
  }

  /** The entry of the one host that `words` names. Returns the exit code. */
  async show(words: readonly string[], format: (entry: NeighborInfo) => string): Promise<number> {
    const { context } = this;
    const [host] = words;
    if (host === undefined || words.length > 1) throw new UsageError(this.#usage);
    const entries = await this.entries();
    const address = await this.resolve(host);
    if (address === null) return 1;
    const entry = entries.find((candidate) => candidate.address === address);
    if (entry === undefined) {
      context.out.error(`${this.#name}: ${host} (${address}) -- no entry\n`);
      return 1;
    }
    context.out.write(context.json ? `${JSON.stringify(entry)}\n` : format(entry));
    return 0;
  }

  /** `hostname ether_addr [temp] [pub]`; `pub` where the tool publishes. Returns the exit code. */
  async set(words: readonly string[], publishes: boolean): Promise<number> {
    const [host, mac, ...options] = words;
    if (host === undefined || mac === undefined) throw new UsageError(this.#usage);
    if (parseLinkAddress(mac) === null) throw new UsageError(`invalid link-level address '${mac}'`);
    const address = await this.resolve(host);
    if (address === null) return 1;
    const temporary = options.some((option) => option.startsWith('temp'));
    const published = publishes && options.some((option) => option.startsWith('pub'));
    return this.#attempt(host, () => this.context.kernel.addNeighbor({ address, mac, temporary, published }));
  }

  /** Returns the exit code; `host` is what the user called `address`. */
  delete(host: string, address: string): Promise<number> {
    return this.#attempt(host, () => this.context.kernel.deleteNeighbor(address));
  }

  async #attempt(host: string, change: () => Promise<void>): Promise<number> {
    try {
      await change();
      return 0;
    } catch (error) {
      this.context.out.error(`${this.#name}: ${host}: ${refusalText(error, { ENOENT: 'no entry' })}\n`);
      return 1;
    }
  }
}
