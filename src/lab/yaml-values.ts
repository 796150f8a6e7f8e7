/**
 * Values of a YAML document: maps as objects, lists as arrays, aliases and merge keys (`<<`) followed.
 *
 * Thread: any. Read first: lab-file.ts. The converter of the package `yaml` does not do here: it knows numbers only by their value
 * (`1.10` becomes 1.1), limits aliases by a count that a lab of a hundred nodes passes, and looks every alias up in time that
 * grows with the file.
 */

import { type Alias, type Document, isAlias, isMap, isPair, isScalar, isSeq, type Node, type Pair, visit } from 'yaml';

/** Values that come about through aliases. An alias of an alias of a list multiplies; a lab of 10,000 nodes does not. */
const ALIASED_VALUES_MAX = 250_000;
const DEPTH_MAX = 64;

type Path = readonly (string | number)[];

/** The document has no value; `offset` is the place of the node at fault. */
export class ValueError extends Error {
  readonly offset: number;

  constructor(message: string, node: unknown) {
    super(message);
    this.offset = (node as Node | null)?.range?.[0] ?? 0;
  }
}

/** Text of a key: as written, for a key that is no string. Throws {@link ValueError} for a map or a list. */
export function keyText(key: unknown): string {
  if (key === null || key === undefined) return '';
  if (!isScalar(key)) throw new ValueError('a key is a text, not a map or a list', key);
  return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value));
}

/**
 * The value of a document. `isText`: scalars at this path are texts as written, whatever YAML takes them for. Throws
 * {@link ValueError}.
 */
export function documentValue(document: Document, isText: (path: Path) => boolean): unknown {
  return new Values(document, isText).of(document.contents, []);
}

class Values {
  readonly #isText: (path: Path) => boolean;
  readonly #targets: ReadonlyMap<Alias, Node>;
  /** Targets of the aliases around the value at hand. */
  readonly #open: Set<Node> = new Set();
  #aliased = 0;

  constructor(document: Document, isText: (path: Path) => boolean) {
    this.#isText = isText;
    this.#targets = aliasTargets(document);
  }

  of(node: unknown, path: Path): unknown {
    if (this.#open.size > 0 && ++this.#aliased > ALIASED_VALUES_MAX) {
      throw new ValueError(`aliases stand for more than ${ALIASED_VALUES_MAX} values`, node);
    }
    if (path.length > DEPTH_MAX) throw new ValueError(`nested more than ${DEPTH_MAX} deep`, node);
    if (isAlias(node)) return this.#through(node, (target) => this.of(target, path));
    if (isMap(node)) return this.#map(node.items, path);
    if (isSeq(node)) return node.items.map((item, index) => this.of(item, [...path, index]));
    if (isPair(node)) return this.#map([node], path);
    if (!isScalar(node)) return null;
    const { value, source } = node;
    if (value === null || typeof value === 'string') return value;
    const plain = typeof value === 'number' || typeof value === 'boolean';
    return plain && !this.#isText(path) ? value : (source ?? String(value));
  }

  #map(items: readonly Pair[], path: Path): object {
    const map = {};
    const own = new Set<string>();
    for (const { key, value } of items) {
      if (isMergeKey(key)) {
        this.#merge(map, value, path);
        continue;
      }
      const text = isAlias(key) ? this.#through(key, keyText) : keyText(key);
      // To YAML 1 and "1" are two keys.
      if (own.has(text)) throw new ValueError('Map keys must be unique', key);
      own.add(text);
      put(map, text, this.of(value, [...path, text]));
    }
    return map;
  }

  /** Keys that are there stay as they are; so the first of several sources wins, and keys of one's own win over all. */
  #merge(map: object, source: unknown, path: Path): void {
    if (isAlias(source)) {
      this.#through(source, (target) => this.#merge(map, target, path));
    } else if (isSeq(source)) {
      for (const item of source.items) {
        if (isSeq(item)) throw new ValueError('<< takes a map or a list of maps', item);
        this.#merge(map, item, path);
      }
    } else if (isMap(source)) {
      for (const [key, value] of Object.entries(this.#map(source.items, path))) {
        if (!Object.hasOwn(map, key)) put(map, key, value);
      }
    } else {
      throw new ValueError('<< takes a map or a list of maps', source);
    }
  }

  #through<T>(alias: Alias, what: (target: Node) => T): T {
    const target = this.#targets.get(alias);
    if (target === undefined) throw new ValueError(`no anchor &${alias.source} before this alias`, alias);
    if (this.#open.has(target)) throw new ValueError(`*${alias.source} is part of what it stands for`, alias);
    this.#open.add(target);
    try {
      return what(target);
    } finally {
      this.#open.delete(target);
    }
  }
}

/** The node with the anchor of that name that stands last before the alias. */
function aliasTargets(document: Document): Map<Alias, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  visit(document, {
    Node: (_key, node) => {
      if (isAlias(node)) {
        const target = anchors.get(node.source);
        if (target !== undefined) targets.set(node, target);
      } else if (typeof (node as { anchor?: unknown }).anchor === 'string') {
        anchors.set((node as { anchor: string }).anchor, node);
      }
    },
  });
  return targets;
}

function isMergeKey(key: unknown): boolean {
  return isScalar(key) && (key.value === '<<' ? key.type === 'PLAIN' : typeof key.value === 'symbol');
}

/** An assignment to `__proto__` would be no key. */
function put(map: object, key: string, value: unknown): void {
  Object.defineProperty(map, key, { value, writable: true, enumerable: true, configurable: true });
}
