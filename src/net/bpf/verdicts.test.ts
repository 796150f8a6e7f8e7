/** Verdicts of compiled filters over frames: literal ones, and those of tcpdump where it is installed. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CORPUS, expressions, machineOf, passes, passing } from '../../../test/fixtures/filter-corpus.ts';
import { isInstalled } from '../../../test/fixtures/installed.ts';
import { compileFilter } from '../../wire/bpf/compile.ts';
import { emitProgram } from '../../wire/bpf/instructions.ts';
import { readPcap } from '../../wire/pcap.ts';
import * as pcapng from '../../wire/pcapng.ts';

describe('a filter lets pass', () => {
  it.each<[string, string[]]>([
    [
      'tcp port 80 and tcp[tcpflags] & (tcp-syn|tcp-rst) != 0 and ip[6:2] & 0x3fff = 0',
      ['tcp syn to 80', 'tcp syn ack from 80', 'tcp with IP options'],
    ],
    ['tcp[13] & 2 != 0 and not tcp[13] & 16 != 0', ['tcp syn to 80', 'tcp with IP options']],
    ['src host 10.1.2.3', ['tcp syn ack from 80', 'arp reply']],
    ['ip6 and not icmp6', ['tcp over ip6', 'udp over ip6', 'tcp in a fragment of ip6']],
    ['net 2001:db8::/32 and udp', ['udp over ip6']],
    ['arp', ['arp request', 'arp reply']],
    ['udp dst portrange 50-70', ['udp to 53', 'udp broadcast']],
    ['broadcast', ['udp broadcast', 'arp request', 'rarp']],
    ['ip multicast', ['udp multicast', 'udp broadcast', 'igmp']],
    ['ether src 02:00:00:00:00:02', ['tcp syn ack from 80', 'icmp unreachable', 'arp reply']],
    ['vlan 10 and tcp port 80', ['vlan']],
    ['vlan and vlan 10 and udp', ['vlan in vlan']],
    ['icmp[icmptype] = icmp-echo or icmp6[icmp6type] = icmp6-echo', ['icmp echo', 'icmp6 echo']],
    ['greater 600', ['tcp data to 8080']],
    ['port 443 or 8080', ['tcp reset to 443', 'tcp data to 8080']],
    // `and` and `or` have one precedence: (arp or tcp) and port 443.
    ['arp or tcp and port 443', ['tcp reset to 443']],
    ['arp or (tcp and port 443)', ['tcp reset to 443', 'arp request', 'arp reply']],
    ['ether[0] & 1 = 0 and ip[8] < 64', []],
  ])('%s', (expression, names) => {
    expect(passing(expression)).toEqual(names);
  });

  it('everything when it is empty, and what its opposite does not', () => {
    expect(passing('')).toHaveLength(new Set(CORPUS.map(({ name }) => name.split(',')[0])).size);
    fc.assert(
      fc.property(expressions, (expression) => {
        const [one, other] = [expression, `not (${expression})`].map((text) => machineOf(compileFilter(text)));
        for (const frame of CORPUS) {
          // A frame too short for a load passes neither.
          expect(passes(one!, frame) && passes(other!, frame)).toBe(false);
        }
      }),
      { seed: 11, numRuns: 300 },
    );
  });
});

/** One frame each second, so that the time says which it is. */
function corpusFile(): Buffer {
  const blocks = [pcapng.sectionBlock(), pcapng.interfaceBlock({ linkType: pcapng.LINKTYPE_ETHERNET, snapBytes: 0 })];
  CORPUS.forEach(({ bytes, lengthBytes }, index) => {
    blocks.push(pcapng.packetBlock({ interfaceIndex: 0, timeNs: BigInt(index) * 1_000_000_000n, bytes, lengthBytes }));
  });
  return Buffer.concat(blocks);
}

/** Answers of tcpdump to each expression, by one shell: `-O` leaves its optimizer out, so that loads are where they are written. */
const ASK = `
ask() {
  tcpdump -n -O -r corpus -w "$1.slow" -- "$2" 2>/dev/null
  tcpdump -ddd -y EN10MB -- "$2" > "$1.program" 2> "$1.error"
}
i=0
while IFS= read -r expression; do
  ask "$i" "$expression" &
  i=$((i + 1))
  [ $((i % 16)) = 0 ] && wait
done
wait
`;

describe.skipIf(!isInstalled('tcpdump'))('verdicts are those of tcpdump (skipped without tcpdump)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'filters-'));
  const asked = fc.sample(expressions, { seed: 5, numRuns: 60 });
  afterAll(() => rmSync(folder, { recursive: true }));
  beforeAll(() => {
    writeFileSync(join(folder, 'corpus'), corpusFile());
    spawnSync('sh', ['-c', ASK], { cwd: folder, input: `${asked.join('\n')}\n` });
  }, 120_000);

  const kept = (name: string): string[] =>
    readPcap(readFileSync(join(folder, name))).records.map(
      ({ timeNs }) => CORPUS[Number(timeNs / 1_000_000_000n)]?.name ?? 'none',
    );

  const byUs = (program: Uint8Array): string[] => {
    const machine = machineOf(program);
    return CORPUS.filter((frame) => passes(machine, frame)).map(({ name }) => name);
  };

  // The optimizer moves loads, and frames that are cut off may get another verdict.
  const isWhole = (name: string): boolean => !/ bytes of it$|^an? (short|empty) frame$/.test(name);

  it('over expressions of every kind', () => {
    asked.forEach((expression, index) => {
      expect(byUs(compileFilter(expression)), expression).toEqual(kept(`${index}.slow`));
    });
  });

  it('and programs of tcpdump run here', () => {
    let ran = 0;
    asked.forEach((expression, index) => {
      // Its optimizer proves of some that they let nothing pass, and makes no program.
      if (readFileSync(join(folder, `${index}.error`), 'utf8').includes('rejects all packets')) return;
      const [count, ...lines] = readFileSync(join(folder, `${index}.program`), 'utf8')
        .trim()
        .split('\n');
      expect(lines.length, expression).toBe(Number(count));
      const program = lines.map((line) => {
        const [code, jt, jf, k] = line.split(' ').map(Number) as [number, number, number, number];
        return { code, jt, jf, k };
      });
      expect(byUs(emitProgram(program)).filter(isWhole), expression).toEqual(kept(`${index}.slow`).filter(isWhole));
      ran++;
    });
    expect(ran).toBeGreaterThan(40);
  });
});
