import { describe, expect, it } from 'vitest';
import { Mutex } from './mutex.ts';
import { Pserialize } from './pserialize.ts';
import { Pslist, PslistEntry } from './pslist.ts';

function values(list: Pslist<string>): string[] {
  const found: string[] = [];
  for (let entry = list.first; entry !== null; entry = entry.next) found.push(entry.value);
  return found;
}

describe('pslist', () => {
  it('inserts at either end and removes anywhere', () => {
    const list = new Pslist<string>();
    const [a, b, c] = ['a', 'b', 'c'].map((value) => new PslistEntry(value)) as PslistEntry<string>[];
    list.insertTail(b!);
    list.insertHead(a!);
    list.insertTail(c!);
    expect(values(list)).toEqual(['a', 'b', 'c']);
    list.remove(b!);
    list.remove(c!);
    list.remove(a!);
    expect(values(list)).toEqual([]);
    expect(() => list.remove(a!)).toThrow('not linked');
  });

  it('a reader on an entry that was removed reaches the rest', () => {
    const list = new Pslist<string>();
    const entries = ['a', 'b', 'c'].map((value) => new PslistEntry(value));
    for (const entry of entries) list.insertTail(entry);
    const reader = entries[1]!;
    list.remove(reader);
    expect(reader.next?.value).toBe('c');
    reader.destroy();
    expect(reader.next).toBe(null);
    expect(() => entries[0]!.destroy()).toThrow('linked');
  });
});

describe('pserialize', () => {
  it('does not wait for a reader of its own', () => {
    const pserialize = new Pserialize();
    pserialize.readEnter();
    pserialize.readEnter();
    pserialize.readExit();
    expect(pserialize.reading).toBe(true);
    expect(() => pserialize.perform()).toThrow('in a read section');
    pserialize.readExit();
    pserialize.perform();
    expect(pserialize.generation).toBe(1);
  });
});

it('a mutex is taken once', () => {
  const mutex = new Mutex();
  mutex.enter();
  expect(mutex.owned).toBe(true);
  expect(() => mutex.enter()).toThrow('locked by this CPU');
  mutex.exit();
  expect(mutex.owned).toBe(false);
  expect(() => mutex.exit()).toThrow('not locked');
});
