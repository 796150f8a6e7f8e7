/**
 * The common part of arp(8) and ndp(8): hosts looked up, the entries of one shown, entries set and deleted, refusals in the tool's words.
 *
 * Thread: the command's. Each tool brings its usage, its family and the text of an entry.
 */

import { readFileSync } from 'node:fs';
import { type AddressFamily, parseLinkAddress } from './address-text.ts';
import { refusalText } from './error-text.ts';
import { UsageError } from './getopt.ts';
import type { NeighborInfo } from './neighbor-text.ts';
import type { ToolContext } from './tool.ts';

/** The words behind `-s`, read. */
export interface NeighborOptions {
  temporary: boolean;
  published: boolean;
  proxyOnly?: boolean;
}

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

  /** The entries of the one host that `words` names, which may be on several interfaces. Returns the exit code. */
  async show(words: readonly string[], format: (found: readonly NeighborInfo[]) => string): Promise<number> {
    const { context } = this;
    const [host] = words;
    if (host === undefined || words.length > 1) throw new UsageError(this.#usage);
    const entries = await this.entries();
    const address = await this.resolve(host);
    if (address === null) return 1;
    const found = entries.filter((candidate) => candidate.address === address);
    if (found.length === 0) {
      context.out.error(`${this.#name}: ${host} (${address}) -- no entry\n`);
      return 1;
    }
    context.out.write(context.json ? `${JSON.stringify(found[0])}\n` : format(found));
    return 0;
  }

  /** `hostname ether_addr OPTION ...`, whose options say how. Returns the exit code. */
  async set(words: readonly string[], how: (options: readonly string[]) => NeighborOptions): Promise<number> {
    const [host, mac, ...options] = words;
    if (host === undefined || mac === undefined) throw new UsageError(this.#usage);
    if (parseLinkAddress(mac) === null) throw new UsageError(`invalid link-level address '${mac}'`);
    const address = await this.resolve(host);
    if (address === null) return 1;
    const texts = {
      EADDRNOTAVAIL: `set: can only proxy for ${host}`,
      EEXIST: 'writing to routing socket: File exists',
      ENETUNREACH: `cannot intuit interface index and type for ${host}`,
    };
    return this.#attempt('', texts, () => this.context.kernel.addNeighbor({ address, mac, ...how(options) }));
  }

  /** Entries of a file, one a line, as the words behind `-s`; `#` begins a comment. The others are set when one is refused. */
  async setFrom(words: readonly string[], how: (options: readonly string[]) => NeighborOptions): Promise<number> {
    const [file] = words;
    const { out } = this.context;
    if (file === undefined || words.length > 1) throw new UsageError(this.#usage);
    let text: string;
    try {
      text = readFileSync(file === '-' ? 0 : file, 'utf8');
    } catch {
      out.error(`${this.#name}: cannot open ${file}\n`);
      return 1;
    }
    let code = 0;
    for (const line of text.split('\n')) {
      const entry = line.replace(/#.*/, '').trim();
      if (entry === '') continue;
      const parts = entry.split(/\s+/);
      if (parts.length < 2 || parseLinkAddress(parts[1] as string) === null) {
        out.error(`${this.#name}: bad line: ${line}\n`);
        code = 1;
      } else if ((await this.set(parts, how)) !== 0) code = 1;
    }
    return code;
  }

  /** Returns the exit code; `host` is what the user called `address`. */
  delete(host: string, address: string): Promise<number> {
    return this.#attempt(`${host}: `, { ENOENT: 'no entry' }, () => this.context.kernel.deleteNeighbor(address));
  }

  async #attempt(
    subject: string,
    texts: Readonly<Record<string, string>>,
    change: () => Promise<void>,
  ): Promise<number> {
    try {
      await change();
      return 0;
    } catch (error) {
      this.context.out.error(`${this.#name}: ${subject}${refusalText(error, texts)}\n`);
      return 1;
    }
  }
}
