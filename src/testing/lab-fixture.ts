/**
 * A lab that tests have for themselves: brought up before them, taken down after them however they ended, with the remains of those that
 * failed kept.
 *
 * Thread: the test runner's. Read first: options.ts. The files of runners beside this one know how each tells that a test failed.
 */

import { randomInt } from 'node:crypto';
import { type Lab, lab, MultikernelError, readLab } from '../index.ts';
import { keepThreads } from '../lab/spare-thread.ts';
import { stateHolds } from '../lab/state.ts';
import { LinkRecorder } from './link-recorder.ts';
import type { FixtureSettings, LabSource } from './options.ts';
import type { TestCase } from './test-case.ts';

// The next test is here soon.
keepThreads();

/** States of a node that no `ready` waits for comes after. */
const ENDED = ['crashed', 'stopped', 'exited'];

export class LabFixture {
  /** The lab, once it is up and ready. Rejects with what `lab()` throws, ETIMEDOUT, or ECHILD for a program that ended before. */
  readonly up: Promise<Lab>;
  readonly #source: LabSource;
  readonly #settings: FixtureSettings;
  #lab: Lab | null = null;
  #seed = 0;
  #recorder: LinkRecorder | null = null;
  #ending: Promise<void> | null = null;
  #resolveStuck: () => void = () => {};

  /** Brings it up. */
  constructor(source: LabSource, settings: FixtureSettings) {
    this.#source = source;
    this.#settings = settings;
    this.up = this.#start();
    // Told to those that wait for it.
    this.up.catch(() => {});
  }

  async #start(): Promise<Lab> {
    const { folder, captureBytes } = this.#settings;
    this.#seed = this.#settings.seed ?? readLab(this.#source, folder).seed ?? randomInt(2 ** 32);
    const own = await lab(this.#source, { folder, seed: this.#seed, onStuck: () => this.#resolveStuck() });
    this.#lab = own;
    if (captureBytes > 0) this.#recorder = new LinkRecorder(own, captureBytes);
    await this.#ready(own);
    return own;
  }

  async #ready(own: Lab): Promise<void> {
    const { ready, readyMs } = this.#settings;
    if (ready.length === 0) return;
    const missing = new Map(ready);
    for (const node of missing.keys()) own.node(node);
    const states = own.states();
    const timer = setTimeout(() => states.close(), readyMs);
    try {
      for await (const status of states) {
        const wanted = missing.get(status.name);
        if (wanted === undefined) continue;
        if (stateHolds(status, wanted)) missing.delete(status.name);
        else if (ENDED.includes(status.phase)) throw new MultikernelError('ECHILD', `${status.name}: ${status.state}`);
        if (missing.size === 0) return;
      }
    } finally {
      clearTimeout(timer);
      states.close();
    }
    const rest = [...missing].map(([node, state]) => `${node} ${state}`).join(', ');
    throw new MultikernelError('ETIMEDOUT', `not within ${readyMs} ms: ${rest}`);
  }

  /** A test has ended, by this error or well (null). Never throws. */
  async ended(test: TestCase, failure: { error: unknown } | null): Promise<void> {
    const { failures, folder } = this.#settings;
    if (failures === false) return;
    try {
      const { forgetFailure, keepFailure } = await import('./failure-folder.ts');
      if (failure === null) {
        forgetFailure(failures, test);
        return;
      }
      // The time of a test may be over before its lab is up.
      await this.up.catch(() => {});
      if (this.#lab === null) return;
      const { error } = failure;
      const remains = {
        test,
        error,
        source: this.#source,
        folder,
        lab: this.#lab,
        recorder: this.#recorder,
        seed: this.#seed,
      };
      const kept = await keepFailure(failures, remains);
      process.stderr.write(`multikernel: ${test.names.at(-1)}: see ${kept}/ (seed ${this.#seed})\n`);
    } catch (error) {
      process.stderr.write(`multikernel: ${test.names.at(-1)}: nothing kept: ${(error as Error).message}\n`);
    }
  }

  /** Take the lab down, however far it came. Resolves also when a thread stands in a call of the host that nothing interrupts. */
  down(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    await this.up.catch(() => {});
    this.#recorder?.stop();
    const stuck = new Promise<void>((resolve) => {
      this.#resolveStuck = resolve;
    });
    if (this.#lab !== null) await Promise.race([this.#lab.down(), stuck]);
  }
}
