/**
 * `Bulk` by the SIMD module of src/wasm/bulk.ts.
 *
 * Thread: one instance per thread; the module works straight on the arena's memory. A call costs about 5 ns. When the
 * engine refuses the module (no SIMD), {@link createWasmBulk} says so with null and `ScriptBulk` takes its place.
 */

import type { Arena } from './arena.ts';
import type { Bulk } from './bulk.ts';
import { Staging } from './bulk-staging.ts';
import { WASM_BASE64 } from './generated/bulk-wasm.ts';
import { wasm } from './webassembly.ts';

type MoveFunction = (a: number, b: number, c: number) => void;
type SumFunction = (at: number, n: number) => number;
type CopySumFunction = (dst: number, src: number, n: number) => number;

// cold: once per thread
function decodeBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

let module: object | null | undefined;

/** The compiled module, once per thread; null where the engine does not take it. */
// cold: once per thread
function compiled(): object | null {
  if (module === undefined) {
    const bytes = decodeBase64(WASM_BASE64);
    module = wasm.validate(bytes) ? new wasm.Module(bytes) : null;
  }
  return module;
}

// cold: once per thread
export function createWasmBulk(arena: Arena): Bulk | null {
  const code = compiled();
  return code === null ? null : new WasmBulk(arena, code);
}

class WasmBulk implements Bulk {
  readonly kind = 'wasm';
  readonly copy: MoveFunction;
  readonly fill: MoveFunction;
  readonly sum: SumFunction;
  readonly copySum: CopySumFunction;
  readonly writeRun: Bulk['writeRun'];
  readonly readRun: Bulk['readRun'];
  readonly #staging: Staging;

  constructor(arena: Arena, code: object) {
    const { exports } = new wasm.Instance(code, { env: { memory: arena.memory } });
    this.copy = exports.copy as MoveFunction;
    this.fill = exports.fill as MoveFunction;
    this.sum = exports.sum as SumFunction;
    this.copySum = exports.copySum as CopySumFunction;
    this.writeRun = exports.writeRun as Bulk['writeRun'];
    this.readRun = exports.readRun as Bulk['readRun'];
    this.#staging = new Staging(arena, this.copy);
  }

  copyIn(dst: number, src: Uint8Array, srcOffset: number, n: number): void {
    this.#staging.copyIn(dst, src, srcOffset, n);
  }

  copyOut(dst: Uint8Array, dstOffset: number, src: number, n: number): void {
    this.#staging.copyOut(dst, dstOffset, src, n);
  }
}
