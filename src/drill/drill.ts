/**
 * A packetdrill script, from its text to a report.
 *
 * Thread: the caller's. Options of the caller win over those at the beginning of the script.
 */

import { parseOptions, parseScript } from './parser.ts';
import { newReport } from './report.ts';
import { type DrillResult, runScript } from './run-script.ts';
import { applyOption, DrillSettings, OptionError, type OptionText } from './settings.ts';
import { type Place, ScriptError, type ScriptOption } from './syntax.ts';

export interface DrillOptions {
  /** As on the command line of the tool. */
  options?: readonly OptionText[];
  /** Keep what crossed the wire. */
  trace?: boolean;
}

/** Run one script. `file` is its name in reports. Throws OptionError for a bad option of the caller. */
export function drill(file: string, source: string, { options = [], trace = false }: DrillOptions = {}): DrillResult {
  const settings = new DrillSettings();
  // A byte order mark, as editors of other systems write it.
  const text = source.replace(/^\ufeff/, '');
  // Once before anything is read: a mistake of the caller is not the script's.
  for (const option of options) applyOption(new DrillSettings(), option);
  try {
    for (const option of parseOptions(file, text)) applyScriptOption(file, settings, option);
    for (const option of options) applyOption(settings, option);
    return runScript(parseScript(file, text, { defines: settings.defines }), settings, { trace });
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error;
    return { report: unreadable(file, error.place, error.message), trace: null };
  }
}

function applyScriptOption(file: string, settings: DrillSettings, option: ScriptOption): void {
  try {
    applyOption(settings, option);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    throw new ScriptError(file, option, error.message);
  }
}

function unreadable(file: string, place: Place, message: string): DrillResult['report'] {
  return { ...newReport(file), outcome: 'error', line: place.line, message };
}
