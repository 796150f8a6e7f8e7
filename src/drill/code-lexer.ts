/** The words of the code in `%{ }%`, which is Python's. Thread: any. */

export interface CodeToken {
  kind: 'number' | 'string' | 'name' | 'operator' | 'end';
  text: string;
}

/** Code that cannot be read, or fails. */
export class CodeError extends Error {}

/** Code that uses what is not known here. */
export class CodeUnknown extends CodeError {}

const TOKEN =
  /[ \t]+|(?<number>0x[0-9a-fA-F]+|[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?|\.[0-9]+|[0-9]+(?:[eE][-+]?[0-9]+)?)|(?<string>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|(?<name>[A-Za-z_][A-Za-z0-9_]*)|(?<operator>\*\*=?|\/\/=?|<<=?|>>=?|==|!=|<=|>=|[-+*/%&|^]=|[-+*/%&|^~<>=(),:.[\]{}])|\\\n|#.*/y;

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '\\': '\\', "'": "'", '"': '"' };

/** The words of one line; an `end` token last. Throws CodeError. */
export function tokenizeCode(line: string): CodeToken[] {
  const tokens: CodeToken[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < line.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(line);
    if (match === null) throw new CodeError(`unexpected ${JSON.stringify(line[at])}`);
    const { number, string, name, operator } = match.groups as Record<string, string | undefined>;
    if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else if (string !== undefined) tokens.push({ kind: 'string', text: unescaped(string) });
    else if (name !== undefined) tokens.push({ kind: 'name', text: name });
    else if (operator !== undefined) tokens.push({ kind: 'operator', text: operator });
  }
  tokens.push({ kind: 'end', text: 'end of line' });
  return tokens;
}

function unescaped(quoted: string): string {
  return quoted.slice(1, -1).replace(/\\(.)/g, (_, letter: string) => ESCAPES[letter] ?? letter);
}

/**
 * The statements of a snippet: lines, joined where brackets are open or a backslash ends the line, parted at semicolons.
 * Indentation is kept, to be refused or understood by the parser.
 */
export function statementsOf(code: string): string[] {
  const statements: string[] = [];
  let current = '';
  let depth = 0;
  let quote = '';
  const end = (): void => {
    if (current.trim() !== '' && !current.trim().startsWith('#')) statements.push(current.replace(/\s+$/, ''));
    current = '';
  };
  for (let i = 0; i < code.length; i++) {
    const char = code[i] as string;
    if (quote !== '') {
      if (char === '\\') current += char + (code[++i] ?? '');
      else {
        current += char;
        if (char === quote) quote = '';
      }
      continue;
    }
    if (char === '#') {
      while (i + 1 < code.length && code[i + 1] !== '\n') i++;
      continue;
    }
    if (char === "'" || char === '"') quote = char;
    if ('([{'.includes(char)) depth++;
    if (')]}'.includes(char)) depth--;
    if (char === '\\' && code[i + 1] === '\n') {
      i++;
      current += ' ';
    } else if (depth === 0 && (char === '\n' || char === ';')) end();
    else current += char === '\n' ? ' ' : char;
  }
  end();
  return statements;
}
