/**
 * HTTP from a kernel of the lab, with Node's own client over a {@link TcpConnection}: for checks and the façade.
 *
 * Thread: any that holds a lab. Missing: https, keep-alive, redirects.
 */

import { type IncomingMessage, request } from 'node:http';
import { MultikernelError } from '../base/errors.ts';
import type { KernelClient } from '../rump/kernel-client.ts';
import { TcpConnection } from '../tools/tcp-connection.ts';
import { withoutBrackets } from './references.ts';

/** Options of `LabNode.fetch`. */
export interface HttpOptions {
  /** Default GET. */
  method?: string;
  /** Headers by their names; `connection: close` is added. */
  headers?: Record<string, string>;
  /** Body; default: none. */
  body?: string | Uint8Array;
  /** Ends the request, with ETIMEDOUT. */
  signal?: AbortSignal;
}

export interface HttpReply {
  status: number;
  headers: Record<string, string>;
  bytes: Uint8Array;
  body: string;
}

export async function httpGet(client: KernelClient, url: string, options: HttpOptions = {}): Promise<HttpReply> {
  const { protocol, hostname, port } = new URL(url);
  if (protocol !== 'http:') throw new MultikernelError('EPROTONOSUPPORT', `${url}: only http:// is supported`);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request(url, {
      method: options.method ?? 'GET',
      headers: { connection: 'close', ...options.headers },
      createConnection: () =>
        new TcpConnection(client, withoutBrackets(hostname), port === '' ? 80 : Number(port)) as never,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    outgoing.on('response', resolve);
    outgoing.on('error', (error) =>
      reject(options.signal?.aborted === true ? new MultikernelError('ETIMEDOUT', `${url}: no answer`) : error),
    );
    outgoing.end(options.body);
  });
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  const headers = Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name, String(value)]));
  return { status: response.statusCode ?? 0, headers, bytes, body: bytes.toString('utf8') };
}
