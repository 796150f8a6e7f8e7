import { expect, it } from 'vitest';
import { ControlService } from './control-service.ts';
import * as protocol from './protocol.ts';
import { type ClientPort, SESSION_LIMITS } from './session.ts';
import { decodeValue, encodeValue } from './value-codec.ts';

it('bounds the requests that wait, and counts no end of a stream as an answer', () => {
  const sent: unknown[] = [];
  const client: Partial<ClientPort> = {
    limits: { ...SESSION_LIMITS, requestsMax: 2, streamsMax: 0 },
    queuedBytes: 0,
    event: (_operation, _object, _a, _b, payload) => void sent.push(decodeValue(payload as Uint8Array)),
  };
  let asked = 0;
  const service = new ControlService(client as ClientPort, {
    request: () => {
      asked++;
      return new Promise(() => {});
    },
    open: () => ({ send: () => {}, close: () => {} }),
  });
  const take = (message: unknown): boolean =>
    service.serve({
      class: protocol.REQUEST,
      operation: protocol.CONTROL,
      request: 0,
      object: 0,
      a: 0,
      b: 0,
      c: 0,
      payload: encodeValue(message),
      addresses: [],
    });
  for (let id = 1; id <= 5; id++) expect(take({ id, open: 'ping', params: {} })).toBe(true);
  expect(sent).toMatchObject([1, 2, 3, 4, 5].map((id) => ({ id, end: true, error: { code: 'EMFILE' } })));
  sent.length = 0;
  for (let id = 6; id <= 12; id++) expect(take({ id, request: 'slow', params: {} })).toBe(true);
  expect(asked).toBe(2);
  expect(sent).toMatchObject([8, 9, 10, 11, 12].map((id) => ({ id, error: { code: 'EAGAIN' } })));
});
