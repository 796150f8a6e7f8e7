/**
 * Source filters of multicast groups: which sources a socket, or an interface, wants to hear.
 *
 * Thread: the one that runs the kernel. Addresses are numbers, of either family. An `include` filter of nothing is the
 * same as no membership. Read first: RFC 3376 section 3 (for IPv6: RFC 3810 section 4), which this file carries out.
 */

/** All sources but those named (`exclude`), or only those named. */
export interface SourceFilter {
  exclude: boolean;
  readonly sources: Set<number>;
}

/** One group of one interface: what each membership asks for, and what follows for the interface. */
export interface InterfaceGroup {
  readonly members: SourceFilter[];
  state: SourceFilter;
}

/** A membership that hears everybody. Shared: never changed. */
export const ANY_SOURCE: SourceFilter = { exclude: true, sources: new Set() };
/** No membership. Shared: never changed. */
export const NO_SOURCE: SourceFilter = { exclude: false, sources: new Set() };

/** Whether packets of `source` pass. */
export function admits(filter: SourceFilter, source: number): boolean {
  return filter.sources.has(source) !== filter.exclude;
}

/** Whether no source passes: the report of a host that is no member. */
export function isEmpty(filter: SourceFilter): boolean {
  return !filter.exclude && filter.sources.size === 0;
}

export function sameFilter(a: SourceFilter, b: SourceFilter): boolean {
  if (a.exclude !== b.exclude || a.sources.size !== b.sources.size) return false;
  for (const source of a.sources) if (!b.sources.has(source)) return false;
  return true;
}

/**
 * The reception state of an interface, from the filters of its members (RFC 3376 3.2): with an `exclude` member,
 * all but what every such member excludes and no `include` member wants; else the union.
 */
// cold: once per change of a membership
export function mergeFilters(members: readonly SourceFilter[]): SourceFilter {
  const excluding = members.filter((one) => one.exclude);
  if (excluding.some((one) => one.sources.size === 0)) return ANY_SOURCE;
  const [first, ...others] = excluding;
  const wanted = new Set<number>();
  for (const one of members) if (!one.exclude) for (const source of one.sources) wanted.add(source);
  if (first === undefined) return wanted.size === 0 ? NO_SOURCE : { exclude: false, sources: wanted };
  const sources = new Set<number>();
  for (const source of first.sources) {
    if (!wanted.has(source) && others.every((one) => one.sources.has(source))) sources.add(source);
  }
  return sources.size === 0 ? ANY_SOURCE : { exclude: true, sources };
}
