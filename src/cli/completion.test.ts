import { describe, expect, it } from 'vitest';
import { completions, type Running } from './completion.ts';
import { createProgram } from './program.ts';

const LABS: Readonly<Record<string, string[]>> = { shop: ['api', 'client', 'db'], other: ['a1', 'z'] };
const RUNNING: Running = {
  labs: async () => Object.keys(LABS),
  nodes: async (lab) => (lab === null ? Object.values(LABS).flat() : (LABS[lab] ?? [])),
};

/** Candidates for the last word of a line; the line ends with a space when that word is empty. */
function complete(line: string): Promise<string[]> {
  return completions(createProgram(), line.split(' '), RUNNING);
}

describe('completion', () => {
  it('begins with the commands', async () => {
    expect(await complete('rest')).toEqual(['restart']);
    expect(await complete('')).toContain('up');
    expect(await complete('')).not.toContain('complete');
    expect(await complete('nothing ')).toEqual([]);
  });

  it('has the options of a command', async () => {
    expect(await complete('break --')).toEqual(['--one-way', '--reject', '--lab', '--json', '--help']);
    expect(await complete('break a b --o')).toEqual(['--one-way']);
  });

  it('has the nodes of the labs that are up, or of the one that is named', async () => {
    expect(await complete('break a')).toEqual(['api', 'a1']);
    expect(await complete('break --lab shop a')).toEqual(['api']);
    expect(await complete('break --one-way api ')).toEqual(['api', 'client', 'db', 'a1', 'z']);
    expect(await complete('logs api d')).toEqual(['db']);
    expect(await complete('ping -k cl')).toEqual(['client']);
    expect(await complete('break api db ')).toEqual([]);
  });

  it('has labs, tools and choices where they stand', async () => {
    expect(await complete('ps --lab s')).toEqual(['shop']);
    expect(await complete('down ')).toEqual(['shop', 'other']);
    expect(await complete('exec api net')).toEqual(['netstat']);
    expect(await complete('completion ')).toEqual(['bash', 'zsh', 'fish']);
    expect(await complete('help fi')).toEqual(['file']);
  });

  it('leaves files to the shell', async () => {
    expect(await complete('packetdrill ')).toEqual([]);
    expect(await complete('up multi')).toEqual([]);
  });
});
