import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arena } from './arena.ts';
import { anonymousOwner, OWNER_PROCESS, OWNER_THREAD, type OwnerIdentity, OwnerTable } from './owner.ts';

function identity(pid: number): OwnerIdentity {
  return { kind: OWNER_PROCESS, pid, threadId: 0, startTime: pid * 1000.5 };
}

/** The same table as several processes see it, and the pids that their probes find gone. */
function setUp(owners: number, processes = 1): { tables: OwnerTable[]; gone: Set<number>; arena: Arena } {
  const arena = Arena.create(0, { owners, base: 65536 });
  const gone = new Set<number>();
  const probe = (owner: OwnerIdentity): boolean => gone.has(owner.pid);
  const tables = Array.from({ length: processes }, () => new OwnerTable(Arena.attach(arena.memory, 65536), probe));
  return { tables, gone, arena };
}

describe('owners', () => {
  it('are who they said, in any process', () => {
    const { tables } = setUp(4, 2);
    const [one, two] = tables as [OwnerTable, OwnerTable];
    const thread: OwnerIdentity = { kind: OWNER_THREAD, pid: 7, threadId: 3, startTime: 12.5 };
    const [a, b] = [one.claim(identity(5)), two.claim(thread)];
    expect([one.identity(b), two.identity(a)]).toEqual([thread, identity(5)]);
    expect([one.isDead(a), one.isDead(b)]).toEqual([false, false]);
  });

  it('lie where docs/layouts/owners.md says', () => {
    const { tables, arena } = setUp(4);
    const id = (tables[0] as OwnerTable).claim({ kind: OWNER_THREAD, pid: 7, threadId: 3, startTime: 12.5 });
    expect(id).toBe((1 << 10) | 1);
    expect(arena.ownersAt).toBe(65536 + 4096 + 512 * 128);
    const word = arena.ownersAt >> 2;
    expect([...arena.words.subarray(word, word + 5)]).toEqual([(1 << 2) | 2, OWNER_THREAD, 7, 3, 0]);
    expect(arena.view.getFloat64(arena.ownersAt + 32, true)).toBe(12.5);
  });

  it('have records of their own, which are claimed again under another id', () => {
    const table = setUp(2).tables[0] as OwnerTable;
    const first = table.claim(identity(1));
    const second = table.claim(identity(2));
    expect(() => table.claim(identity(3))).toThrow(expect.objectContaining({ code: 'ENOMEM' }));
    table.release(first);
    const third = table.claim(identity(3));
    expect(new Set([0, first, second, third]).size).toBe(4);
    expect([first, second, third].map((id) => table.isDead(id))).toEqual([true, false, false]);
    // A late burial of the first does not touch the third, who has its record.
    expect(table.bury(first)).toBe(false);
    expect(table.isDead(third)).toBe(false);
  });

  it('are found dead by the probe, and buried once, by one of many', () => {
    const { tables, gone } = setUp(8, 3);
    const [one, two, three] = tables as [OwnerTable, OwnerTable, OwnerTable];
    const buried: [number, number][] = [];
    tables.forEach((table, process) => {
      table.add({ bury: (owner) => buried.push([process, owner]) });
    });
    const ids = [1, 2, 3].map((pid) => one.claim(identity(pid)));
    expect(ids.map((id) => one.isDead(id))).toEqual([false, false, false]);
    gone.add(2);
    expect([two.isDead(ids[1] as number), two.identity(ids[1] as number)]).toEqual([true, identity(2)]);
    expect(ids.map((id) => two.isDead(id))).toEqual([false, true, false]);
    expect(two.bury(ids[1] as number)).toBe(true);
    expect([two, three].map((table) => table.identity(ids[1] as number))).toEqual([null, null]);
    // Somebody else was first: the holders here are asked all the same.
    expect(three.bury(ids[1] as number)).toBe(false);
    expect(buried).toEqual([
      [1, ids[1]],
      [2, ids[1]],
    ]);
  });

  it('without a record are dead only when somebody says so', () => {
    const { tables } = setUp(8);
    const table = tables[0] as OwnerTable;
    const [a, b] = [anonymousOwner(0), anonymousOwner(255)];
    expect(new Set([0, a, b]).size).toBe(3);
    expect([table.isDead(a), table.isDead(b), table.bury(a)]).toEqual([false, false, false]);
    for (const nonsense of [9, -1, 0x3fffffff, 0x7fffffff]) {
      expect([table.identity(nonsense), table.isDead(nonsense)]).toEqual([null, true]);
    }
  });

  it('are never two under one id, and never buried alive, however claims, deaths and burials mix', () => {
    const step = fc.tuple(fc.constantFrom('claim', 'claim', 'die', 'release', 'bury', 'sweep'), fc.nat(3), fc.nat(20));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const { tables, gone } = setUp(3, 4);
        const living = new Map<number, number>();
        const ever = new Set<number>();
        let pid = 100;
        for (const [what, process, n] of steps) {
          const table = tables[process] as OwnerTable;
          const some = [...living.keys()][n % Math.max(1, living.size)];
          if (what === 'claim') {
            try {
              const id = table.claim(identity(++pid));
              expect(ever.has(id)).toBe(false);
              ever.add(id);
              living.set(id, pid);
            } catch (error) {
              expect(error).toMatchObject({ code: 'ENOMEM' });
            }
          } else if (what === 'die' && some !== undefined) {
            gone.add(living.get(some) as number);
            living.delete(some);
          } else if (what === 'release' && some !== undefined) {
            table.release(some);
            living.delete(some);
          } else if (what === 'bury') {
            const dead = [...ever].filter((id) => !living.has(id));
            if (dead.length > 0) table.bury(dead[n % dead.length] as number);
          } else if (what === 'sweep') {
            for (const id of ever) if (table.isDead(id)) table.bury(id);
          }
          for (const id of ever) expect(table.isDead(id)).toBe(!living.has(id));
        }
      }),
    );
  });
});
