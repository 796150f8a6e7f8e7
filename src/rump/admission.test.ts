import { expect, it } from 'vitest';
import { Admission } from './admission.ts';

class Connection {
  closed = false;
  close(): void {
    this.closed = true;
  }
}

function rig(pendingMax: number, timeoutMs: number): { admission: Admission; connect(nowMs: number): Connection } {
  const admission = new Admission({ pendingMax, timeoutMs });
  const connect = (nowMs: number): Connection => {
    const connection = new Connection();
    admission.enter(connection, nowMs);
    return connection;
  };
  return { admission, connect };
}

it('closes connections that are not authenticated in time, and no others', () => {
  const { admission, connect } = rig(10, 100);
  const [first, second, third] = [connect(0), connect(10), connect(20)];
  expect(admission.nextDeadlineMs()).toBe(100);
  admission.leave(second);
  admission.expire(99);
  expect([first, second, third].map(({ closed }) => closed)).toEqual([false, false, false]);
  admission.expire(110);
  expect([first, second, third].map(({ closed }) => closed)).toEqual([true, false, false]);
  expect(admission.nextDeadlineMs()).toBe(120);
  admission.expire(120);
  expect(third.closed).toBe(true);
  expect(admission.nextDeadlineMs()).toBe(Number.POSITIVE_INFINITY);
  expect([...admission.refused]).toEqual([['authentication timed out', 2]]);
});

it('gives the place of the oldest to one more, so that holders of places keep nobody out', () => {
  const { admission, connect } = rig(3, 100);
  const all = Array.from({ length: 10 }, (_, i) => connect(i));
  expect(all.map(({ closed }) => closed)).toEqual([...Array(7).fill(true), false, false, false]);
  expect(admission.pending).toBe(3);
  expect(admission.refused.get('too many unauthenticated connections')).toBe(7);
});

it('counts each reason', () => {
  const { admission, connect } = rig(3, 100);
  admission.refuse(connect(0), 'negative length');
  admission.refuse(connect(0), 'negative length');
  admission.refuse(connect(0), 'not authenticated');
  expect([...admission.refused]).toEqual([
    ['negative length', 2],
    ['not authenticated', 1],
  ]);
  expect(admission.pending).toBe(0);
});
