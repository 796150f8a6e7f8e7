// Builds src/wasm/*.ts (AssemblyScript) into committed base64 modules, src/mem/generated/<name>-wasm.ts.
// `node scripts/build-wasm.js` writes them; with --check it only compares and exits 1 when they differ.
// The memory is imported and shared; the module declares the smallest minimum and the largest maximum, so that an arena
// of any fixed size fits.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const sources = fileURLToPath(new URL('../src/wasm/', import.meta.url));
const generated = fileURLToPath(new URL('../src/mem/generated/', import.meta.url));

/** The generated TypeScript for one source file. */
export async function build(name) {
  let binary;
  const { error, stderr } = await asc.main(
    [
      `${name}.ts`,
      '--outFile=out.wasm',
      '-O3',
      '--noAssert',
      '--runtime=stub',
      '--importMemory',
      '--sharedMemory',
      '--initialMemory=1',
      '--maximumMemory=65536',
      '--enable=threads',
      '--enable=simd',
      '--enable=bulk-memory',
      '--use=abort=',
    ],
    {
      readFile: (file, base) => {
        try {
          return readFileSync(`${base === '.' ? sources : base}/${file}`, 'utf8');
        } catch {
          return null;
        }
      },
      writeFile: (_file, contents) => {
        binary = contents;
      },
      listFiles: () => [],
    },
  );
  if (error) throw new Error(`${name}.ts: ${error.message}\n${stderr.toString()}`);
  const lines = Buffer.from(binary)
    .toString('base64')
    .match(/.{1,112}/g)
    .map((line) => `  '${line}'`);
  return `/** Generated from src/wasm/${name}.ts by scripts/build-wasm.js; do not edit. */\nexport const WASM_BASE64: string =\n${lines.join(' +\n')};\n`;
}

/** Names of the sources, without extension. */
export function sourceNames() {
  return readdirSync(sources)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.slice(0, -3));
}

export function generatedPath(name) {
  return `${generated}${name}-wasm.ts`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const name of sourceNames()) {
    const text = await build(name);
    if (!process.argv.includes('--check')) {
      writeFileSync(generatedPath(name), text);
    } else if (readFileSync(generatedPath(name), 'utf8') !== text) {
      process.stderr.write(`${generatedPath(name)}: differs from what src/wasm/${name}.ts builds to\n`);
      process.exitCode = 1;
    }
  }
}
