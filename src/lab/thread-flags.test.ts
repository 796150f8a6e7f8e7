import { describe, expect, it } from 'vitest';
import { optionWords, threadFlags, threadProblems } from './thread-flags.ts';

const ONLY = 'only with "placement: process"';

describe('flags and variables of a thread', () => {
  it.each([
    '--expose-gc',
    '--expose_gc',
    '--inspect',
    '--inspect=0.0.0.0:9229',
    '--env-file=.env',
    '--env-file-if-exists=.env',
    '--stack-size=2000',
    '--stack-trace-limit=50',
    '--max-heap-size=64',
    '--title=api',
    '--use-openssl-ca',
    '--openssl-legacy-provider',
    '--tls-cipher-list=ECDHE',
    '--icu-data-dir=.',
    '--no-node-snapshot',
    '--report-on-signal',
    '--jitless',
  ])('refuse %s', (flag) => {
    expect(threadProblems([flag], {}, {})).toEqual([{ key: ['run'], message: `node ${flag}: ${ONLY}` }]);
    expect(threadProblems([], { NODE_OPTIONS: `--no-warnings ${flag}` }, {})).toEqual([
      { key: ['env', 'NODE_OPTIONS'], message: `${flag}: ${ONLY}` },
    ]);
  });

  it('refuse a flag with its value', () => {
    expect(threadProblems(['--env-file', '.env', '--title', 'api'], {}, {}).map((one) => one.message)).toEqual([
      `node --env-file .env: ${ONLY}`,
      `node --title api: ${ONLY}`,
    ]);
  });

  it('take those of the loader, of warnings and of sources, and limits of the heap', () => {
    const flags = [
      '--enable-source-maps',
      '--no-warnings',
      '-C',
      'dev',
      '--max_old_space_size=64',
      '-r',
      'x',
      '--import',
      'y',
    ];
    expect(threadProblems(flags, { NODE_OPTIONS: '--throw-deprecation -r z' }, {})).toEqual([]);
    expect(threadFlags(flags, '--throw-deprecation -r z')).toEqual({
      execArgv: [
        '--throw-deprecation',
        '--enable-source-maps',
        '--no-warnings',
        '-C',
        'dev',
        '--import',
        'data:text/javascript,',
      ],
      limits: { maxOldGenerationSizeMb: 64 },
      preloads: [
        { how: 'require', module: 'z' },
        { how: 'require', module: 'x' },
        { how: 'import', module: 'y' },
      ],
    });
  });

  it('leave flags that the process has from its own NODE_OPTIONS to it', () => {
    expect(threadFlags([], '--expose-gc --no-warnings')).toEqual({
      execArgv: ['--no-warnings'],
      limits: {},
      preloads: [],
    });
  });

  it.each(['TZ', 'LANG', 'LC_ALL', 'LC_TIME', 'NODE_EXTRA_CA_CERTS', 'UV_THREADPOOL_SIZE', 'SSL_CERT_FILE'])(
    'refuse the variable %s, unless it is that of the process',
    (name) => {
      expect(threadProblems([], { [name]: 'x' }, {})).toEqual([
        { key: ['env', name], message: `read once per process: ${ONLY}` },
      ]);
      expect(threadProblems([], { [name]: 'x' }, { [name]: 'x' })).toEqual([]);
    },
  );

  it('take other variables', () => {
    expect(threadProblems([], { PORT: '80', NODE_ENV: 'test', NODE_PATH: '.', LANGSMITH: 'x' }, {})).toEqual([]);
  });
});

describe('NODE_OPTIONS', () => {
  it('is parted as Node parts it', () => {
    expect(optionWords('--a  -r "./my file.js" --b="c \\"d\\"" e')).toEqual([
      '--a',
      '-r',
      './my file.js',
      '--b=c "d"',
      'e',
    ]);
    expect(optionWords('')).toEqual([]);
  });
});
