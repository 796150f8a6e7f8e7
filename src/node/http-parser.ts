/**
 * Node's HTTP parser, attached to a stream handle in native code.
 *
 * Thread: the program's. Native code runs the program's ticks after each piece of a body; our reads reach the parser from
 * within JavaScript, where it does not, so a wrapped callback does. `node:http` says that it attaches a parser by setting
 * `_consumed` on the handle; who calls `parser.consume` himself is seen only on Node 20 and 22.
 */

import { drainTicks, optionalBinding, ownerOf } from './bindings.ts';

/** HTTPParser.kOnBody. */
const ON_BODY = 3;

type Parser = Record<number, unknown>;

interface ParserBinding {
  HTTPParser: { prototype: { consume: (this: Parser, stream: object) => unknown } };
}

const followed = new WeakSet<Parser>();
let feeding = false;

/** Give native code bytes of a handle to which a parser is attached. */
export function feed(handle: { give(bytes: Uint8Array): void }, bytes: Uint8Array): void {
  const before = feeding;
  feeding = true;
  try {
    handle.give(bytes);
  } finally {
    feeding = before;
  }
}

function follow(parser: Parser): void {
  const onBody = parser[ON_BODY];
  if (followed.has(parser) || typeof onBody !== 'function') return;
  followed.add(parser);
  parser[ON_BODY] = function (this: unknown, ...piece: unknown[]): unknown {
    const result = onBody.apply(this, piece);
    if (feeding) drainTicks();
    return result;
  };
}

/** A parser was attached to `handle` by `node:http`. */
export function parserAttached(handle: object): void {
  const owner = ownerOf(handle) as { parser?: Parser } | undefined;
  if (owner?.parser) follow(owner.parser);
}

/** Have `attached` called when anything attaches a parser to a stream, as far as that can be seen. */
export function watchParsers(attached: (stream: object) => void): void {
  const prototype = optionalBinding<ParserBinding>('http_parser')?.HTTPParser.prototype;
  if (prototype === undefined) return;
  const consume = prototype.consume;
  prototype.consume = function (stream) {
    attached(stream);
    return consume.call(this, stream);
  };
}
