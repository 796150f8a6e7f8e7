import { describe, expect, it } from 'vitest';
import { MultikernelError } from '../base/errors.ts';
import type { StreamHandle, StreamSink } from './kernel-client.ts';
import { type Answers, Requester, Responder, type ToClient, type ToServer } from './multiplexer.ts';

/** Both ends in one thread; `log` has every message in its order. */
function pair(answers: Partial<Answers>) {
  const log: (ToServer | ToClient)[] = [];
  const all: Answers = {
    request: () => null,
    open: () => ({ send: () => {}, close: () => {} }),
    ...answers,
  };
  let requester: Requester;
  const responder = new Responder(
    (message) => {
      log.push(message);
      requester.take(structuredClone(message));
    },
    all,
    () => 0,
    1024,
  );
  requester = new Requester((message) => {
    log.push(message);
    responder.take(structuredClone(message));
  });
  return { requester, responder, log };
}

function recorder() {
  const seen: unknown[] = [];
  const sink: StreamSink<never> = {
    event: (event) => seen.push(event),
    end: (error) => seen.push(error === null ? 'end' : (error as MultikernelError).code),
  };
  return { seen, sink };
}

describe('requests', () => {
  it('match replies to their numbers, in whatever order they come', async () => {
    const replies: Record<string, (value: unknown) => void> = {};
    const { requester } = pair({ request: (name) => new Promise((resolve) => (replies[name] = resolve)) });
    const answers = [requester.request('a', {}), requester.request('b', {})];
    replies.b?.(2);
    replies.a?.(1);
    expect(await Promise.all(answers)).toEqual([1, 2]);
  });

  it('carry the code and message of what was thrown, now or later', async () => {
    const { requester } = pair({
      request: (name) => {
        if (name === 'now') throw new MultikernelError('EEXIST', 'there already');
        return Promise.reject(new Error('broken'));
      },
    });
    await expect(requester.request('now', {})).rejects.toMatchObject({ code: 'EEXIST', message: 'there already' });
    await expect(requester.request('later', {})).rejects.toMatchObject({ code: 'EIO', message: 'broken' });
  });

  it('fail when the carrier goes, and afterwards', async () => {
    const { requester } = pair({ request: () => new Promise(() => {}) });
    const asked = requester.request('a', {});
    requester.fail(new MultikernelError('ECONNRESET', 'gone'));
    await expect(asked).rejects.toMatchObject({ code: 'ECONNRESET' });
    await expect(requester.request('b', {})).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  it('answer at once what is known at once: an event before it stays before it', () => {
    let sink: StreamSink<unknown> | null = null;
    const { requester, log } = pair({
      open: (_operation, _params, opened) => {
        sink = opened;
        return { send: () => {}, close: () => {} };
      },
      request: () => {
        sink?.event('before');
        return 'done';
      },
    });
    requester.open('events', {}, recorder().sink);
    requester.request('change', {});
    expect(log.slice(-2)).toEqual([
      { id: 1, event: 'before' },
      { id: 2, reply: 'done' },
    ]);
  });
});

describe('streams', () => {
  it('give events until their end, and nothing after it', () => {
    const given: StreamSink<unknown>[] = [];
    const inputs: unknown[] = [];
    const handle: StreamHandle<never> = { send: (input) => inputs.push(input), close: () => given[0]?.end(null) };
    const { requester } = pair({
      open: (_operation, _params, sink) => {
        given.push(sink);
        return handle;
      },
    });
    const { seen, sink } = recorder();
    const stream = requester.open('s', {}, sink);
    given[0]?.event(1);
    stream.send('in');
    stream.close();
    given[0]?.event(2);
    given[0]?.end(null);
    stream.send('late');
    expect([seen, inputs]).toEqual([[1, 'end'], ['in']]);
  });

  it('end with the reason of a refusal', () => {
    const { requester } = pair({
      open: () => {
        throw new MultikernelError('ENODEV', 'no such interface');
      },
    });
    const { seen, sink } = recorder();
    requester.open('capture', {}, sink);
    expect(seen).toEqual(['ENODEV']);
  });

  it('end with their carrier: at the client with its error, at the server by being closed', () => {
    let closed = 0;
    const { requester, responder } = pair({ open: () => ({ send: () => {}, close: () => closed++ }) });
    const { seen, sink } = recorder();
    requester.open('s', {}, sink);
    requester.fail(new MultikernelError('ECONNRESET', 'gone'));
    responder.close();
    expect([seen, closed]).toEqual([['ECONNRESET'], 1]);
  });

  it('are bounded in number, and a repeated number does not open another', () => {
    let opened = 0;
    const sent: ToClient[] = [];
    const answers: Answers = {
      request: () => null,
      open: () => {
        opened++;
        return { send: () => {}, close: () => {} };
      },
    };
    const responder = new Responder(
      (message) => sent.push(message),
      answers,
      () => 0,
      1024,
    );
    for (let id = 0; id < 1024; id++) responder.take({ id, open: 's', params: {} });
    responder.take({ id: 5, open: 's', params: {} });
    responder.take({ id: 5000, open: 's', params: {} });
    expect(opened).toBe(1024);
    expect(sent).toMatchObject([{ id: 5000, end: true, error: { code: 'EMFILE' } }]);
  });

  it('that refuse an input are closed, and end with its errno', () => {
    let closed = 0;
    const ends: unknown[] = [];
    const { requester } = pair({
      open: (_name, _params, sink) => ({
        send: () => {
          throw new MultikernelError('EMSGSIZE', 'write: EMSGSIZE');
        },
        close: () => {
          closed++;
          sink.end(null);
        },
      }),
    });
    const sink = { event: () => undefined, end: (error: Error | null) => void ends.push(error) };
    requester.open('s', {}, sink).send({ nonsense: true });
    expect(closed).toBe(1);
    expect(ends).toEqual([expect.objectContaining({ code: 'EMSGSIZE', message: 'write: EMSGSIZE' })]);
  });
});

describe('messages of a stranger', () => {
  it('that are none are refused', () => {
    const { responder } = pair({});
    const nonsense = [null, 7, 'text', [], {}, { id: 'x', request: 'a' }, { id: 1 }, { id: 1.5, close: true }];
    expect(nonsense.map((message) => responder.take(message))).toEqual(nonsense.map(() => false));
    const known = [
      { id: 1, request: 'a' },
      { id: 2, input: 1 },
      { id: 3, close: true },
    ];
    expect(known.map((message) => responder.take(message))).toEqual([true, true, true]);
  });
});
