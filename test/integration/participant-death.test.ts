/** Participants of a bus and of a vni network, as processes that are killed at any instant. */

import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { libc } from '../../src/host/node/ffi/libc.ts';
import { until } from '../fixtures/fake-workers.ts';

/** As many as a run by hand wants: MK_KILLS=3000. */
const KILLS = Number(process.env.MK_KILLS ?? 15);
/** A run by hand ends after that long, or as many kills. */
const SECONDS_MAX = Number(process.env.MK_SECONDS ?? Number.POSITIVE_INFINITY);
/** Participants that die at a time. */
const LINES = 3;
/** The last operation of one that ends itself: a few dozen are those of joining. */
const OPERATIONS_MAX = 2000;
const STANDING = 4;
/** The machine may have much else to do, or stand still for a while. */
const PATIENCE_MS = 300_000;
const PARTICIPANT = join(import.meta.dirname, 'participant.js');
/** Numbers of the two that are never killed. */
const WATCHERS = [1, 2];

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mk-death-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Report {
  /** Frames whose bytes, length or order is wrong. */
  bad: number;
  /** Frames for this participant that did not come. */
  missing: number;
  heard: number;
  lost: number;
  damaged: number;
}

/** Processes of participants, and what they told. */
class Party {
  readonly heardBy = new Map<number, Set<number>>();
  readonly #args: readonly string[];
  readonly #watchers = new Map<number, ChildProcess>();
  readonly #senders = new Set<ChildProcess>();
  /** Loaded, and waiting for the word to begin: the start of a process costs more than its part here. */
  readonly #standing: ChildProcess[] = [];
  #next = 1;

  constructor(medium: string, path: string) {
    this.#args = [medium, path];
  }

  #fork(): ChildProcess {
    return fork(PARTICIPANT, this.#args, { execArgv: [] });
  }

  async watch(): Promise<number> {
    const id = this.#next++;
    const child = this.#fork();
    const heard = new Set<number>();
    this.#watchers.set(id, child);
    this.heardBy.set(id, heard);
    child.on('message', (message: { heard?: number }) => {
      if (message.heard !== undefined) heard.add(message.heard);
    });
    const ready = new Promise((done) => child.once('message', done));
    child.send({ begin: id, mode: 'watch', watchers: WATCHERS });
    await ready;
    return id;
  }

  /** A sender, which may end itself after so many operations. */
  send(operations?: number): { id: number; child: ChildProcess; ended: Promise<string> } {
    while (this.#standing.length <= STANDING) this.#standing.push(this.#fork());
    const child = this.#standing.shift() as ChildProcess;
    const id = this.#next++;
    this.#senders.add(child);
    const ended = new Promise<string>((done) => {
      child.once('exit', (code, signal) => {
        this.#senders.delete(child);
        done(`${code ?? signal}`);
      });
    });
    child.send({ begin: id, mode: 'send', watchers: WATCHERS, ...(operations === undefined ? {} : { operations }) });
    return { id, child, ended };
  }

  heard(id: number): boolean {
    return [...this.heardBy.values()].every((heard) => heard.has(id));
  }

  report(id: number): Promise<Report> {
    const child = this.#watchers.get(id) as ChildProcess;
    return new Promise((done) => {
      const hear = (message: { report?: never }): void => {
        if (message.report === undefined) return;
        child.off('message', hear);
        done(message.report);
      };
      child.on('message', hear);
      child.send('report');
    });
  }

  close(): void {
    for (const child of [...this.#watchers.values(), ...this.#senders, ...this.#standing]) child.kill('SIGKILL');
  }
}

const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));

/** One life: killed from outside once it was heard, or by itself at any operation, the first ones as often as later ones. */
async function live(party: Party, fromOutside: boolean): Promise<void> {
  const operations = Math.ceil(Math.exp(Math.random() * Math.log(OPERATIONS_MAX)));
  const { id, child, ended } = fromOutside ? party.send() : party.send(operations);
  if (fromOutside) {
    await until(() => party.heard(id), PATIENCE_MS);
    await pause(Math.random() * 20);
    child.kill('SIGKILL');
  }
  expect(await ended).toBe('SIGKILL');
}

describe.skipIf(libc() === null).each(['bus', 'vni'])('participants of a %s', (medium) => {
  it(`survive ${KILLS} kills of others at any instant: they hear whole frames, none for them is missing, and newcomers are heard`, {
    timeout: 60_000 + KILLS * 3000,
  }, async () => {
    const party = new Party(medium, join(folder, medium));
    try {
      for (const id of WATCHERS) expect(await party.watch()).toBe(id);
      const endMs = performance.now() + SECONDS_MAX * 1000;
      let begun = 0;
      let kills = 0;
      const line = async (): Promise<void> => {
        while (begun < KILLS && performance.now() < endMs) {
          await live(party, begun++ % LINES === 0);
          kills++;
          if (kills % 100 === 0) console.log(medium, { kills, ...(await party.report(1)) });
        }
      };
      await Promise.all(Array.from({ length: LINES }, line));
      const last = party.send();
      await until(() => party.heard(last.id), PATIENCE_MS);
      for (const watcher of WATCHERS) {
        const report = await party.report(watcher);
        const { bad, missing, heard, damaged } = report;
        if (process.env.MK_KILLS !== undefined) console.log(medium, { kills, ...report });
        expect({ bad, missing, damaged }).toEqual({ bad: 0, missing: 0, damaged: 0 });
        expect(heard).toBeGreaterThan(kills);
        // The other one, which was never killed.
        expect(party.heardBy.get(watcher)).toContain(WATCHERS[2 - watcher]);
      }
    } finally {
      party.close();
    }
  });
});
