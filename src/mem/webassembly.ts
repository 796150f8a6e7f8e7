/**
 * The part of the WebAssembly global that the memory layer uses, typed here because neither the ECMAScript library nor
 * Node's types declare it.
 */

/** A shared `WebAssembly.Memory`; posting it to a worker shares the memory. */
export interface WasmMemory {
  /** All bytes of the memory; of fixed size, because the memory cannot grow. */
  readonly buffer: SharedArrayBuffer;
}

export interface WasmNamespace {
  readonly Memory: new (descriptor: { initial: number; maximum: number; shared: true }) => WasmMemory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: Record<string, Record<string, unknown>>,
  ) => { readonly exports: Readonly<Record<string, unknown>> };
  validate(bytes: Uint8Array): boolean;
}

export const wasm: WasmNamespace = (globalThis as unknown as { WebAssembly: WasmNamespace }).WebAssembly;
