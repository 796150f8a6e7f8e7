/**
 * System calls by the messages of multiplexer.ts, for the ways that carry streams and no frames: to a worker, and through a lab.
 * The stream `process` is a process of the kernel: it begins with the first call, and exits with the stream.
 *
 * Thread: each end its own. Messages of the client are copied and checked; one that makes no sense ends the stream.
 * Read first: multiplexer.ts, kernel-process.ts. Frames for the same: system-call-service.ts, remote-kernel.ts.
 *
 *     client → server   {call, number, args}   {answer, bytes}   {answer, error}
 *     server → client   {call, result}   {ask, call, address, length}   {ask, call, address, bytes}
 */

import { Errno, MultikernelError } from '../base/errors.ts';
import type { CallMemory, KernelClient, StreamHandle, StreamSink } from './kernel-client.ts';
import type { Answers } from './multiplexer.ts';
import type { RemoteMemory, RemoteProcess } from './system-call-service.ts';

/** The name of the stream. */
const PROCESS = 'process';
const ARGUMENTS_MAX = 6;
/** Calls of one process that are under way. */
const CALLS_MAX = 1024;

type ToProcess =
  | { call: number; number: number; args: readonly number[] }
  /** `error`: -errno, or 0 after a copyout. */
  | { answer: number; bytes: Uint8Array }
  | { answer: number; error: number };

type FromProcess =
  | { call: number; result: number }
  /** copyin(9) of `length` bytes, or copyout(9) of `bytes`, in the memory of `call`. */
  | { ask: number; call: number; address: number; length: number }
  | { ask: number; call: number; address: number; bytes: Uint8Array };

type Open = (stream: never, request: never, sink: never) => StreamHandle<never>;

interface CallUnderWay {
  readonly memory: CallMemory;
  resolve(result: number): void;
  reject(error: Error): void;
}

/** The calling end. After an end of the stream the next call begins another process. */
class ProcessCalls {
  readonly #open: Open;
  readonly #calls = new Map<number, CallUnderWay>();
  #stream: StreamHandle<ToProcess> | null = null;
  #nextCall = 1;

  /** `open`: that of a kernel client. */
  constructor(open: Open) {
    this.#open = open;
  }

  /** Count or -errno; rejects when the kernel or the way to it is gone. */
  call(number: number, args: readonly number[], memory: CallMemory): Promise<number> {
    return new Promise((resolve, reject) => {
      const call = this.#nextCall++;
      this.#calls.set(call, { memory, resolve, reject });
      this.#stream ??= this.#begin();
      this.#stream?.send({ call, number, args });
    });
  }

  /** The process exits, and its calls end. */
  close(): void {
    this.#stream?.close();
  }

  /** Null when the stream ended at once; its calls have been rejected then. */
  #begin(): StreamHandle<ToProcess> | null {
    let ended = false;
    const sink: StreamSink<FromProcess> = {
      event: (event) => this.#event(event),
      end: (error) => {
        ended = true;
        this.#end(error ?? new MultikernelError('ECONNRESET', 'the process of these calls has exited'));
      },
    };
    const stream = this.#open(PROCESS as never, {} as never, sink as never) as StreamHandle<ToProcess>;
    return ended ? null : stream;
  }

  #event(event: FromProcess): void {
    const under = this.#calls.get(event.call);
    if ('result' in event) {
      this.#calls.delete(event.call);
      under?.resolve(event.result);
      return;
    }
    const { ask: answer, address } = event;
    try {
      if (under === undefined) throw new RangeError('no such call');
      if ('bytes' in event) {
        under.memory.write(address, event.bytes);
        this.#stream?.send({ answer, error: 0 });
      } else {
        // A copy: the carrier may hand bytes over, or share what lies in shared memory.
        this.#stream?.send({ answer, bytes: new Uint8Array(under.memory.read(address, event.length)) });
      }
    } catch {
      this.#stream?.send({ answer, error: -Errno.EFAULT });
    }
  }

  #end(error: Error): void {
    this.#stream = null;
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const { reject } of calls) reject(error);
  }
}

/** A whole kernel client over a way that carries requests and streams. Its `close` ends its process, then the way. */
export function withCalls(way: Omit<KernelClient, 'call'>): KernelClient {
  const calls = new ProcessCalls(way.open as Open);
  return {
    control: way.control,
    open: way.open,
    call: (number, args, memory) => calls.call(number, args, memory),
    closed: way.closed,
    close: () => {
      calls.close();
      return way.close();
    },
  };
}

/** `answers`, and the stream `process`. `newProcess`: null when the kernel has too many. */
export function withProcesses(answers: Answers, newProcess: () => RemoteProcess | null): Answers {
  return {
    request: (operation, params) => answers.request(operation, params),
    open: (operation, params, sink) => {
      if (operation !== PROCESS) return answers.open(operation, params, sink);
      const process = newProcess();
      if (process === null) throw new MultikernelError('EAGAIN', 'the kernel has too many processes');
      return new ServedProcess(process, sink) as StreamHandle<never>;
    },
  };
}

/** The serving end. */
class ServedProcess implements StreamHandle<unknown> {
  readonly #process: RemoteProcess;
  readonly #sink: StreamSink<FromProcess>;
  readonly #asked = new Map<number, (answer: Uint8Array | number) => void>();
  #nextAsk = 1;
  #underWay = 0;
  #closed = false;

  constructor(process: RemoteProcess, sink: StreamSink<FromProcess>) {
    this.#process = process;
    this.#sink = sink;
  }

  /** Throws EPROTO for a message that makes no sense. */
  send(message: unknown): void {
    const { call, number, args, answer, bytes, error } = (message ?? {}) as Record<string, unknown>;
    if (Number.isSafeInteger(call) && Number.isSafeInteger(number) && areArguments(args)) {
      this.#call(call as number, number as number, args);
      return;
    }
    const answered = this.#asked.get(answer as number);
    if (answered === undefined) throw new MultikernelError('EPROTO', 'neither a call nor an answer');
    this.#asked.delete(answer as number);
    if (bytes instanceof Uint8Array) answered(bytes);
    else answered(Number.isInteger(error) && (error as number) <= 0 ? (error as number) : -Errno.EFAULT);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#process.exit();
    const asked = [...this.#asked.values()];
    this.#asked.clear();
    for (const answered of asked) answered(-Errno.EINTR);
    this.#sink.end(null);
  }

  #call(call: number, number: number, args: readonly number[]): void {
    if (this.#underWay >= CALLS_MAX) {
      this.#sink.event({ call, result: -Errno.EAGAIN });
      return;
    }
    this.#underWay++;
    const done = (result: number): void => {
      this.#underWay--;
      if (!this.#closed) this.#sink.event({ call, result });
    };
    const result = this.#process.call(number, Float64Array.from(args), this.#memoryOf(call));
    if (typeof result === 'number') done(result);
    else void result.then(done);
  }

  #memoryOf(call: number): RemoteMemory {
    return {
      copyin: async (address, length) => {
        const answer = await this.#ask((ask) => this.#sink.event({ ask, call, address, length }));
        if (typeof answer === 'number') return answer < 0 ? answer : -Errno.EFAULT;
        return answer.length === length ? answer : -Errno.EFAULT;
      },
      copyout: async (address, bytes) => {
        const copy = new Uint8Array(bytes);
        const answer = await this.#ask((ask) => this.#sink.event({ ask, call, address, bytes: copy }));
        return typeof answer === 'number' ? answer : 0;
      },
    };
  }

  #ask(send: (ask: number) => void): Promise<Uint8Array | number> {
    if (this.#closed) return Promise.resolve(-Errno.EINTR);
    return new Promise((resolve) => {
      const ask = this.#nextAsk++;
      this.#asked.set(ask, resolve);
      send(ask);
    });
  }
}

function areArguments(args: unknown): args is readonly number[] {
  return Array.isArray(args) && args.length <= ARGUMENTS_MAX && args.every((argument) => typeof argument === 'number');
}
