/**
 * Flags of Node by what follows them on a command line: a value, a script, or neither.
 *
 * Thread: any. Sources: `node --help` and `process.allowedNodeEnvironmentFlags` of Node 20, 22, 24 and 26; Node itself does not say
 * which of them take a value.
 */

/** Flags of Node whose value is the next word when it is not joined by `=`. */
const WITH_VALUE: ReadonlySet<string> = new Set([
  '-C',
  '-r',
  '--allow-fs-read',
  '--allow-fs-write',
  '--bench-isolation',
  '--bench-name-pattern',
  '--bench-reporter',
  '--bench-reporter-destination',
  '--bench-samples',
  '--bench-warmup',
  '--build-sea',
  '--build-snapshot-config',
  '--conditions',
  '--cpu-prof-dir',
  '--cpu-prof-interval',
  '--cpu-prof-name',
  '--debug-port',
  '--diagnostic-dir',
  '--disable-proto',
  '--disable-warning',
  '--dns-result-order',
  '--env-file',
  '--env-file-if-exists',
  '--experimental-config-file',
  '--experimental-default-type',
  '--experimental-loader',
  '--experimental-package-map',
  '--experimental-policy',
  '--experimental-sea-config',
  '--experimental-test-isolation',
  '--experimental-test-tag-filter',
  '--heap-prof-dir',
  '--heap-prof-interval',
  '--heap-prof-name',
  '--heapsnapshot-near-heap-limit',
  '--heapsnapshot-signal',
  '--icu-data-dir',
  '--import',
  '--input-type',
  '--inspect-port',
  '--inspect-publish-uid',
  '--loader',
  '--localstorage-file',
  '--max-http-header-size',
  '--max-old-space-size-percentage',
  '--network-family-autoselection-attempt-timeout',
  '--openssl-config',
  '--policy-integrity',
  '--redirect-warnings',
  '--report-dir',
  '--report-directory',
  '--report-filename',
  '--report-signal',
  '--require',
  '--secure-heap',
  '--secure-heap-min',
  '--snapshot-blob',
  '--stack-trace-limit',
  '--test-concurrency',
  '--test-coverage-branches',
  '--test-coverage-exclude',
  '--test-coverage-functions',
  '--test-coverage-include',
  '--test-coverage-lines',
  '--test-global-setup',
  '--test-isolation',
  '--test-name-pattern',
  '--test-random-seed',
  '--test-reporter',
  '--test-reporter-destination',
  '--test-rerun-failures',
  '--test-shard',
  '--test-skip-pattern',
  '--test-timeout',
  '--title',
  '--tls-cipher-list',
  '--tls-keylog',
  '--trace-event-categories',
  '--trace-event-file-pattern',
  '--trace-require-module',
  '--unhandled-rejections',
  '--use-largepages',
  '--v8-pool-size',
  '--vfs-load',
  '--vfs-mount',
  '--watch-kill-signal',
  '--watch-path',
]);

/** Flags by which Node runs something else than a script. */
const WITHOUT_SCRIPT =
  /^(-e|--eval|-p|--print|-pe|-i|--interactive|-c|--check|-h|--help|-v|--version|--v8-options|--test|--run|-)(=|$)/;

/** Whether Node takes the next word as the value of this flag. */
export function takesNextWord(flag: string): boolean {
  return WITH_VALUE.has(flag.startsWith('--') ? flag.replaceAll('_', '-') : flag);
}

/** Whether Node runs no script by itself with this flag. */
export function isScriptless(flag: string): boolean {
  return WITHOUT_SCRIPT.test(flag);
}

/** Whether a flag of Node is about its inspector. */
export function isInspectFlag(flag: string): boolean {
  return /^--inspect(-brk|-wait|-port|-publish-uid)?(=|$)/.test(flag);
}
