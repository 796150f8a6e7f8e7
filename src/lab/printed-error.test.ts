import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { printedError } from './printed-error.ts';

/** Standard error of a program that this Node runs, in lines. */
function stderrOf(program: string, type: 'commonjs' | 'module' = 'commonjs'): string[] {
  const flags = ['--max-old-space-size=16', `--input-type=${type}`, '-e', program];
  return spawnSync(process.execPath, flags, { encoding: 'utf8' }).stderr.split('\n');
}

describe('the error of a process, as this Node prints it', () => {
  it.each<[string, string, object]>([
    ['an error', "throw new TypeError('boom')", { name: 'TypeError', message: 'boom', code: null }],
    [
      'a class of its own',
      "class Odd extends Error { name = 'Odd' }; setTimeout(() => { throw new Odd('late') }, 1)",
      { name: 'Odd', message: 'late', code: null },
    ],
    ['a message of two lines', "throw new Error('one\\ntwo')", { name: 'Error', message: 'one\ntwo' }],
    [
      'an error with a code',
      "require('net').connect(1, '127.0.0.1')",
      { name: 'Error', message: 'connect ECONNREFUSED 127.0.0.1:1', code: 'ECONNREFUSED' },
    ],
    ["an error of Node's", "require('fs').readFileSync('x', 7)", { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }],
    ['a syntax that is none', 'let let = 1', { name: 'SyntaxError' }],
    [
      'no stack',
      "const e = new Error('bare'); e.stack = undefined; throw e",
      { name: 'Error', message: 'bare', stack: '' },
    ],
    ['a text', "throw 'just text'", { name: 'Uncaught', message: 'just text', code: null, stack: '' }],
    ['nothing', 'throw null', { name: 'Uncaught', message: 'null' }],
    ['a rejection', 'Promise.reject(5)', { code: 'ERR_UNHANDLED_REJECTION' }],
    [
      'a heap that is full',
      'const keep = []; for (;;) keep.push(new Array(5000).fill(keep.length))',
      { code: 'ERR_WORKER_OUT_OF_MEMORY' },
    ],
  ])('%s', (_what, program, error) => {
    expect(printedError(stderrOf(program))).toMatchObject(error);
  });

  it('has the stack, and no properties', () => {
    const { stack } = printedError(stderrOf("throw Object.assign(new Error('x'), { code: 'A', more: 1 })")) ?? {};
    expect(stack).toMatch(/^Error: x\n {4}at .*$/s);
    expect(stack).not.toMatch(/more|\{/);
  });

  it('is not there when a program writes about errors, or ended by itself', () => {
    for (const program of ["console.error(new Error('told'))", 'process.exit(3)', "console.error('Node.js v20.0.0')"])
      expect(printedError(stderrOf(program)), program).toBe(null);
  });
});
