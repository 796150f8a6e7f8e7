/** Ctrl-C of a command. Thread: the main thread of the command. */

/** Runs `work`; the signals abort it and end nothing by themselves. */
export async function untilInterrupted<T>(
  work: (signal: AbortSignal) => Promise<T>,
  signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM'],
): Promise<T> {
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  for (const name of signals) process.on(name, onSignal);
  try {
    return await work(interrupt.signal);
  } finally {
    for (const name of signals) process.off(name, onSignal);
  }
}
