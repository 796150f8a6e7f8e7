import { expect, it } from 'vitest';
import { MultikernelError } from '../base/errors.ts';
import type { KernelClient, StreamSink } from './kernel-client.ts';
import { kernelOnDemand } from './kernel-on-demand.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Connections that a test makes, refuses and ends; `log` has what the kernels behind them were asked. */
class Rig {
  readonly log: string[] = [];
  readonly sinks: StreamSink<never>[] = [];
  /** For each attempt. */
  readonly attempts: { resolve(): void; reject(error: Error): void; end(): void }[] = [];
  readonly kernel: KernelClient = kernelOnDemand(() => this.#connect(), new Promise(() => {}));

  #connect(): Promise<KernelClient> {
    const { log, sinks } = this;
    const number = this.attempts.length;
    return new Promise((resolve, reject) => {
      let end = (): void => {};
      const closed = new Promise<void>((settle) => {
        end = settle;
      });
      const client = {
        control: async (operation: string) => log.push(`${number} ${operation}`),
        open: (stream: string, _request: unknown, sink: StreamSink<never>) => {
          log.push(`${number} open ${stream}`);
          sinks.push(sink);
          return {
            send: (input: unknown) => log.push(`${number} input ${input}`),
            close: () => log.push(`${number} close ${stream}`),
          };
        },
        call: async (call: number) => log.push(`${number} call ${call}`),
        closed,
        close: async () => {
          log.push(`${number} hang up`);
          end();
        },
      };
      this.attempts.push({ resolve: () => resolve(client as unknown as KernelClient), reject, end });
    });
  }

  open(name: string): { send(input: unknown): void; close(): void; ends: unknown[] } {
    const ends: unknown[] = [];
    const sink = { event: () => undefined, end: (error: Error | null) => void ends.push(error) };
    const handle = this.kernel.open(name as never, {} as never, sink as never);
    return { send: (input) => handle.send(input as never), close: () => handle.close(), ends };
  }
}

it('connects when it is first asked, and then asks in order', async () => {
  const rig = new Rig();
  await turn();
  expect(rig.attempts.length).toBe(0);
  void rig.kernel.control('one' as never, {} as never);
  const stream = rig.open('s');
  stream.send(1);
  void rig.kernel.call(7, [], {} as never);
  stream.send(2);
  await turn();
  expect([rig.attempts.length, rig.log]).toEqual([1, []]);
  rig.attempts[0]?.resolve();
  await turn();
  expect(rig.log).toEqual(['0 one', '0 open s', '0 input 1', '0 input 2', '0 call 7']);
  stream.send(3);
  stream.close();
  expect(rig.log.slice(5)).toEqual(['0 input 3', '0 close s']);
});

it('a stream that is closed before the connection is there ends, and is not opened', async () => {
  const rig = new Rig();
  const stream = rig.open('s');
  stream.send(1);
  stream.close();
  stream.close();
  stream.send(2);
  rig.attempts[0]?.resolve();
  await turn();
  expect([stream.ends, rig.log]).toEqual([[null], []]);
});

it('fails with the error of the connection, and connects again for the next request', async () => {
  const rig = new Rig();
  const error = new MultikernelError('EHOSTDOWN', 'not running');
  const asked = rig.kernel.control('one' as never, {} as never).catch((reason: unknown) => reason);
  const stream = rig.open('s');
  const closed = rig.open('t');
  closed.close();
  rig.attempts[0]?.reject(error);
  expect(await asked).toBe(error);
  expect([stream.ends, closed.ends]).toEqual([[error], [null]]);
  void rig.kernel.control('two' as never, {} as never);
  rig.attempts[1]?.resolve();
  await turn();
  rig.attempts[1]?.end();
  await turn();
  void rig.kernel.control('three' as never, {} as never);
  rig.attempts[2]?.resolve();
  await turn();
  expect(rig.log).toEqual(['1 two', '2 three']);
});

it('hangs up, also on a connection that is under way', async () => {
  const rig = new Rig();
  await rig.kernel.close();
  void rig.kernel.control('one' as never, {} as never);
  rig.attempts[0]?.resolve();
  await turn();
  await rig.kernel.close();
  void rig.kernel.control('two' as never, {} as never);
  await rig.kernel.close();
  rig.attempts[1]?.resolve();
  await turn();
  expect(rig.log).toEqual(['0 one', '0 hang up', '1 two', '1 hang up']);
});
