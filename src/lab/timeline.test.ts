import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { planOfText, problemOfText } from '../../test/fixtures/lab-text.ts';
import type { TimelinePlan } from './plan.ts';
import { Timeline } from './timeline.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mk-timeline-'));
  writeFileSync(join(folder, 'load.js'), '');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A lab of api, db and web whose timeline begins in line 3. */
function text(...entries: string[]): string {
  return `nodes: { api: {}, db: {}, web: {} }\ntimeline:\n${entries.map((entry) => `  - ${entry}\n`).join('')}`;
}

function plan(...entries: string[]): TimelinePlan[] {
  return planOfText(text(...entries), folder).timeline;
}

function problem(entry: string): string {
  return problemOfText(text(entry), folder);
}

describe('a timeline', () => {
  it('is requests in the order of their times', () => {
    const plans = plan(
      '{ at: 25s, heal: [[api, web], db] }',
      '{ at: 5s, break: [[api, web], db], how: reject, one_way: true }',
      '{ at: 6s, netem: [api, db], impair: { delay: 40ms, down: true } }',
      '{ at: 7s, netem: web, impair: none }',
      '{ at: 8s, pause: db }',
      '{ at: 9s, run: node load.js --fast, on: web }',
      '{ at: 10s, stop: web }',
      '{ at: 11s, start: web }',
      '{ at: 12s, power_off: db }',
      '{ at: 30s, heal: all }',
    );
    expect(plans.map(({ atMs, node, operation, params }) => [atMs, node, operation, params])).toEqual([
      [5000, 'api', 'partition', { a: ['api', 'web'], b: ['db'], oneWay: true, how: 'reject' }],
      [6000, 'api', 'impair', { a: 'api', b: 'db', ways: { up: {}, down: { delayUs: 40_000 } } }],
      [7000, 'api', 'impair', { a: 'web', b: null, ways: null }],
      [8000, 'db', 'pause', { node: 'db' }],
      [
        9000,
        'web',
        'run',
        { node: 'web', script: join(folder, 'load.js'), argv: ['--fast'], nodeFlags: [], env: {}, cwd: folder },
      ],
      [10_000, 'web', 'stop', { node: 'web', graceMs: 10_000 }],
      [11_000, 'web', 'start', { node: 'web' }],
      [12_000, 'db', 'powerOff', { node: 'db' }],
      [25_000, 'api', 'heal', { id: null, between: { a: ['api', 'web'], b: ['db'] } }],
      [30_000, 'api', 'heal', { id: null, between: null }],
    ]);
    expect(plans[0]?.title).toBe('break api, web, db');
  });

  it('cuts each of several sides from every other', () => {
    const plans = plan('{ at: 5s, break: [api, web, db], how: reject }', '{ at: 6s, heal: [web, api, db] }');
    expect(plans.map(({ operation, params, title }) => [operation, params, title])).toEqual([
      ['partition', { a: ['api'], b: ['web'], oneWay: false, how: 'reject' }, 'break api, web'],
      ['partition', { a: ['api'], b: ['db'], oneWay: false, how: 'reject' }, 'break api, db'],
      ['partition', { a: ['web'], b: ['db'], oneWay: false, how: 'reject' }, 'break web, db'],
      ['heal', { id: null, between: { a: ['web'], b: ['api'] } }, 'heal web, api'],
      ['heal', { id: null, between: { a: ['web'], b: ['db'] } }, 'heal web, db'],
      ['heal', { id: null, between: { a: ['api'], b: ['db'] } }, 'heal api, db'],
    ]);
  });

  it.each([
    ['{ break: [api, db] }', 'lab.yml:3:5: timeline[0].at: missing'],
    [
      '{ at: 5s }',
      'lab.yml:3:5: timeline[0]: exactly one of break, heal, netem, kill, restart, start, stop, power_off, pause, resume, run is needed',
    ],
    [
      '{ at: 5s, kill: api, pause: db }',
      'lab.yml:3:5: timeline[0]: exactly one of break, heal, netem, kill, restart, start, stop, power_off, pause, resume, run is needed',
    ],
    ['{ at: 5, kill: api }', 'lab.yml:3:11: timeline[0].at: expected a time with its unit, such as 20ms or 5s, not 5'],
    ['{ at: 5s, kill: apy }', 'lab.yml:3:21: timeline[0].kill: no node "apy"; did you mean api?'],
    ['{ at: 5s, break: [api, apy] }', 'lab.yml:3:22: timeline[0].break: no node "apy"; did you mean api?'],
    [
      '{ at: 5s, break: [api, web, db], one_way: true }',
      'lab.yml:3:22: timeline[0].break: one way is between two sides, and no more',
    ],
    ['{ at: 5s, break: [api, [web, db], db] }', 'lab.yml:3:22: timeline[0].break: db cannot be cut from itself'],
    ['{ at: 5s, break: [api, api] }', 'lab.yml:3:22: timeline[0].break: api cannot be cut from itself'],
    [
      '{ at: 5s, netem: [api, dbb], impair: { loss: 1% } }',
      'lab.yml:3:22: timeline[0].netem: no node or network dbb; did you mean db?',
    ],
    ['{ at: 5s, netem: api }', 'lab.yml:3:5: timeline[0]: "netem" and "impair" belong together'],
    ['{ at: 5s, run: node none.js, on: api }', 'lab.yml:3:20: timeline[0].run: no program none.js'],
    ['{ at: 5s, run: node load.js }', 'lab.yml:3:5: timeline[0]: "run" and "on" belong together'],
    ['{ at: 5s, kill: api, how: reject }', 'lab.yml:3:5: timeline[0]: "one_way" and "how" belong to "break"'],
  ])('%s is refused', (entry, expected) => {
    expect(problem(entry)).toBe(expected);
  });
});

describe('the timeline of a running lab', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('happens in order, goes on after a refusal, and ends with the lab', async () => {
    const plans = plan(
      '{ at: 1s, break: [api, db] }',
      '{ at: 1s, kill: web }',
      '{ at: 2s, heal: all }',
      '{ at: 3s, stop: api }',
    );
    const told: string[] = [];
    const asked: string[] = [];
    const timeline = new Timeline(
      plans,
      async ({ operation }) => {
        asked.push(operation);
        if (operation === 'kill') throw new Error('web runs no program');
      },
      (node, text) => void told.push(`${node}: ${text}`),
    );
    timeline.start();
    await vi.advanceTimersByTimeAsync(999);
    expect(asked).toEqual([]);
    await vi.advanceTimersByTimeAsync(1001);
    timeline.stop();
    await vi.advanceTimersByTimeAsync(5000);
    expect(asked).toEqual(['partition', 'kill', 'heal']);
    expect(told).toEqual([
      'api: timeline: break api, db',
      'web: timeline: kill web',
      'web: timeline: kill web: web runs no program',
      'api: timeline: heal all',
    ]);
  });
});
