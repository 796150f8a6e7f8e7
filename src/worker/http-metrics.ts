/**
 * HTTP metrics of a program that knows nothing of us: counts of Node's own diagnostics channels.
 *
 * Thread: the one that runs the program. The counters and their numbers are drawn in lab/messages.ts, the supervisor reads
 * them from the arena, program-counters.ts has the way there. Covers node:http as server and client, and fetch (undici's channels). A request that ends without a
 * response counts as an error, not as a request.
 */

import { subscribe } from 'node:diagnostics_channel';
import { US_PER_MS } from '../base/units.ts';
import {
  HTTP_CLIENT_BUCKET,
  HTTP_CLIENT_ERRORS,
  HTTP_CLIENT_IN_FLIGHT,
  HTTP_CLIENT_REQUESTS,
  HTTP_SERVER_BUCKET,
  HTTP_SERVER_REQUESTS,
  latencyBucket,
  PROGRAM_COUNTERS,
} from '../lab/messages.ts';

/** Counters by their number in `PROGRAM_COUNTERS`. */
export interface HttpCounters {
  add(index: number, n: number): void;
}

/** Exchanges under way on one side, with the time each began. */
class Exchanges {
  readonly #counters: HttpCounters;
  readonly #startedUs: WeakMap<object, number> = new WeakMap();
  readonly #requests: number;
  /** Number of the first. */
  readonly #buckets: number;
  readonly #errors: number;
  readonly #inFlight: number;

  constructor(
    counters: HttpCounters,
    requests: string,
    bucket: string,
    errors: string | null = null,
    inFlight: string | null = null,
  ) {
    const indexOf = (name: string | null): number => (name === null ? -1 : PROGRAM_COUNTERS.indexOf(name));
    this.#counters = counters;
    this.#requests = indexOf(requests);
    this.#errors = indexOf(errors);
    this.#inFlight = indexOf(inFlight);
    this.#buckets = indexOf(`${bucket}0`);
  }

  begin(exchange: object): void {
    this.#startedUs.set(exchange, performance.now() * US_PER_MS);
    if (this.#inFlight >= 0) this.#counters.add(this.#inFlight, 1);
  }

  finish(exchange: object): void {
    const startedUs = this.#end(exchange);
    if (startedUs < 0) return;
    this.#counters.add(this.#requests, 1);
    this.#counters.add(this.#buckets + latencyBucket(performance.now() * US_PER_MS - startedUs), 1);
  }

  fail(exchange: object): void {
    if (this.#end(exchange) >= 0 && this.#errors >= 0) this.#counters.add(this.#errors, 1);
  }

  /** When it began, -1 when it is not under way (errors may be reported twice, or after the response). */
  #end(exchange: object): number {
    const startedUs = this.#startedUs.get(exchange);
    if (startedUs === undefined) return -1;
    this.#startedUs.delete(exchange);
    if (this.#inFlight >= 0) this.#counters.add(this.#inFlight, -1);
    return startedUs;
  }
}

interface Message {
  request?: object;
  response?: object;
}

/** Count what the program of this thread does over HTTP into `counters` from now on. */
export function countHttp(counters: HttpCounters): void {
  const server = new Exchanges(counters, HTTP_SERVER_REQUESTS, HTTP_SERVER_BUCKET);
  const client = new Exchanges(
    counters,
    HTTP_CLIENT_REQUESTS,
    HTTP_CLIENT_BUCKET,
    HTTP_CLIENT_ERRORS,
    HTTP_CLIENT_IN_FLIGHT,
  );
  const on = (channel: string, what: (request: object) => void): void =>
    subscribe(channel, (message) => {
      const { request } = message as Message;
      if (request !== undefined) what(request);
    });
  on('http.server.request.start', (request) => server.begin(request));
  on('http.server.response.finish', (request) => server.finish(request));
  on('http.client.request.start', (request) => client.begin(request));
  on('http.client.response.finish', (request) => client.finish(request));
  on('http.client.request.error', (request) => client.fail(request));
  on('undici:request:create', (request) => client.begin(request));
  on('undici:request:trailers', (request) => client.finish(request));
  on('undici:request:error', (request) => client.fail(request));
}
