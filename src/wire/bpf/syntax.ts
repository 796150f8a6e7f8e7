/** Filter expressions as trees: what the parser makes, and the compiler gives a meaning to. Types only. */

import type { Token } from './lexer.ts';

/** End of a frame that an id is about; `any` is source or destination, `both` is each of them. */
export type Direction = 'any' | 'src' | 'dst' | 'both';
/** Kind of an id: `host 10.0.0.1`, `net 10`, `port 80`, `portrange 1-9`, `proto 17`. */
export type IdKind = 'host' | 'net' | 'port' | 'portrange' | 'proto';

/** Words in front of an id. An id without any has those of the id before. */
export interface Qualifiers {
  /** `ip`, `tcp`, `ether` ..., or null. */
  protocol: string | null;
  direction: Direction;
  kind: IdKind;
}

/** An id, and what follows it: `/24`, `mask 255.255.255.0`. */
export interface Id {
  token: Token;
  prefixLength: number | null;
  mask: string | null;
}

/** Operand of a relation; `load` is `PROTOCOL[index:bytes]`, `length` the word `len`. */
export type Arithmetic =
  | { kind: 'constant'; value: number }
  | { kind: 'length' }
  | { kind: 'load'; protocol: Token; index: Arithmetic; bytes: number }
  | { kind: 'negation'; of: Arithmetic }
  | { kind: 'operation'; operator: Token; left: Arithmetic; right: Arithmetic };

/** A whole expression, or a part of one. */
export type Expression =
  | { kind: 'and' | 'or'; left: Expression; right: Expression }
  | { kind: 'not'; of: Expression }
  | { kind: 'id'; qualifiers: Qualifiers; id: Id }
  | { kind: 'protocol'; name: Token }
  | { kind: 'relation'; operator: string; left: Arithmetic; right: Arithmetic }
  | { kind: 'broadcast' | 'multicast'; protocol: string | null; token: Token }
  | { kind: 'less' | 'greater'; bytes: number }
  | { kind: 'vlan'; id: Token | null };
