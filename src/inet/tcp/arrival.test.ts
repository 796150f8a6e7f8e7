import { describe, expect, it } from 'vitest';
import { type HandshakeOptions, Transcript } from '../../../test/fixtures/tcp-transcript.ts';

/**
 * RFC 9293 section 3.10.7, SEGMENT ARRIVES: every state against every kind of segment, as RFC 5961, RFC 6191 and RFC 7323
 * amend it. A line is: kind | segment | what is sent in answer | next state | counter that moves.
 *
 * R is RCV.NXT, E the right edge of the window, U is SND.UNA, X is SND.NXT of the state's fixture; `-` is nothing, `=` the
 * same state; answers are parted by commas.
 */

/** The states from ESTABLISHED to LAST_ACK treat these alike. */
const SYNCHRONIZED = `
  old SYN                    | S seq R-20               | . seq X ack R | = | challengeAcksSent
  SYN in the window          | S seq R+5                | . seq X ack R | = | challengeAcksSent
  SYN at RCV.NXT             | S seq R                  | . seq X ack R | = | challengeAcksSent
  SYN far outside            | S seq R+10000000         | . seq X ack R | = | challengeAcksSent
  SYN with FIN               | SF seq R                 | . seq X ack R | = | challengeAcksSent
  SYN and ACK                | S. seq R ack X           | . seq X ack R | = | challengeAcksSent
  old ACK                    | . seq R ack U-1          | -             | = | acksReceived
  ACK older than any window  | . seq R ack U-99000000   | . seq X ack R | = | challengeAcksSent
  ACK of what was not sent   | . seq R ack X+1          | . seq X ack R | = | acksForUnsentReceived
  data and such an ACK       | P. seq R len 10 ack X+1  | . seq X ack R | = | acksForUnsentReceived
  old data                   | P. seq R-5 len 5 ack U   | . seq X ack R | = | duplicatePackets
  data beyond the window     | P. seq E+100 len 9 ack U | . seq X ack R | = | packetsAfterWindow
  FIN beyond the window      | F. seq E+100 ack U       | . seq X ack R | = | packetsAfterWindow
  ACK beyond the window      | . seq E+100 ack U        | . seq X ack R | = | packetsAfterWindow
  empty, at the right edge   | . seq E ack U            | -             | = | acksReceived
  keep-alive                 | . seq R-1 ack U          | . seq X ack R | = | windowProbesReceived
  keep-alive with a byte     | . seq R-1 len 1 ack U    | . seq X ack R | = | duplicatePackets
  old FIN                    | F. seq R-1 ack U         | . seq X ack R | = | -
  RST in the window          | R seq R+5                | . seq X ack R | = | challengeAcksSent
  RST and ACK in the window  | R. seq R+5 ack X         | . seq X ack R | = | challengeAcksSent
  RST before the window      | R seq R-1                | -             | = | resetsIgnored
  RST beyond the window      | R seq E+100              | -             | = | resetsIgnored
  RST at RCV.NXT             | R seq R                  | - | CLOSED | connectionsDropped
  RST and ACK at RCV.NXT     | R. seq R ack X           | - | CLOSED | connectionsDropped
  data without ACK           | - seq R len 5            | -             | = | droppedNoAck
  FIN without ACK            | F seq R                  | -             | = | droppedNoAck
  URG without ACK            | U seq R len 5 urg 5      | -             | = | droppedNoAck
`;

/** In the states in which the peer may still send. */
const RECEIVING = `
  data                       | P. seq R len 10 ack U       | . seq X ack R+10              | = | dataPacketsInSequence
  data, its start known      | P. seq R-5 len 10 ack U     | . seq X ack R+5               | = | partialDuplicatePackets
  data, its end too far      | P. seq E-5 len 10 ack U     | . seq X ack R sack E-5-E      | = | packetsAfterWindow
  data out of order          | P. seq R+10 len 10 ack U    | . seq X ack R sack R+10-R+20  | = | outOfOrderPackets
  FIN out of order           | F. seq R+10 ack U           | . seq X ack R                 | = | -
  FIN with data out of order | F. seq R+10 len 5 ack U     | . seq X ack R sack R+10-R+15  | = | outOfOrderPackets
  urgent data                | U. seq R len 10 urg 5 ack U | . seq X ack R+10              | = | urgentReceived
  urgent pointer, no data    | U. seq R urg 5 ack U        | -                             | = | urgentReceived
`;

/** After the peer's FIN: text and FIN are ignored, what stands before them counts. */
const PEER_DONE = `
  data                       | P. seq R len 10 ack U       | -               | = | packetsAfterClose
  data, its start known      | P. seq R-5 len 10 ack U     | -               | = | packetsAfterClose
  data, its end too far      | P. seq E-5 len 10 ack U     | . seq X ack R   | = | packetsAfterWindow
  data out of order          | P. seq R+10 len 10 ack U    | -               | = | packetsAfterClose
  FIN                        | F. seq R ack U              | -               | = | acksReceived
  FIN out of order           | F. seq R+10 ack U           | -               | = | acksReceived
  FIN with data              | F. seq R len 5 ack U        | -               | = | packetsAfterClose
  urgent data                | U. seq R len 10 urg 5 ack U | -               | = | packetsAfterClose
`;

const TABLE: Readonly<Record<string, string>> = {
  CLOSED: `
    SYN              | S seq 100              | R. seq 0 ack 101 len 0 | = | droppedNoSocket
    SYN with data    | S seq 100 len 4        | R. seq 0 ack 105       | = | droppedNoSocket
    SYN and FIN      | SF seq 100             | R. seq 0 ack 102       | = | droppedNoSocket
    SYN and ACK      | S. seq 100 ack 77      | R seq 77 ack 0 len 0   | = | droppedNoSocket
    ACK              | . seq 100 ack 77       | R seq 77 ack 0         | = | droppedNoSocket
    data             | P. seq 100 len 5 ack 7 | R seq 7 ack 0          | = | droppedNoSocket
    data without ACK | - seq 100 len 5        | R. seq 0 ack 105       | = | droppedNoSocket
    FIN              | F. seq 100 ack 77      | R seq 77               | = | droppedNoSocket
    FIN without ACK  | F seq 100              | R. seq 0 ack 101       | = | droppedNoSocket
    urgent data      | U. seq 5 len 5 ack 7 urg 5 | R seq 7            | = | droppedNoSocket
    RST              | R seq 100              | -                      | = | droppedNoSocket
    RST and ACK      | R. seq 100 ack 77      | -                      | = | droppedNoSocket
  `,
  LISTEN: `
    SYN              | S seq 0                | S. seq 0 ack 1 | SYN_RECEIVED | synQueueAdded
    SYN with data    | S seq 0 len 4          | S. seq 0 ack 1 | SYN_RECEIVED | synQueueAdded
    SYN and FIN      | SF seq 0               | -              | = | badConnectionAttempts
    SYN and ACK      | S. seq 0 ack 77        | R seq 77 ack 0 | = | badConnectionAttempts
    ACK              | . seq 0 ack 77         | R seq 77 ack 0 | = | badConnectionAttempts
    data             | P. seq 0 len 5 ack 77  | R seq 77 ack 0 | = | badConnectionAttempts
    data without ACK | - seq 0 len 5          | -              | = | badConnectionAttempts
    FIN              | F. seq 0 ack 77        | R seq 77       | = | badConnectionAttempts
    FIN without ACK  | F seq 0                | -              | = | badConnectionAttempts
    urgent data      | U. seq 0 len 5 ack 7 urg 5 | R seq 7    | = | badConnectionAttempts
    RST              | R seq 0                | -              | = | -
    RST and ACK      | R. seq 0 ack 1         | -              | = | -
  `,
  SYN_SENT: `
    SYN                         | S seq 0                 | S. seq 0 ack 1 | SYN_RECEIVED | -
    SYN with data               | S seq 0 len 4           | S. seq 0 ack 1 | SYN_RECEIVED | -
    SYN and ACK                 | S. seq 0 ack X          | . seq 1 ack 1  | ESTABLISHED  | connectionsEstablished
    SYN, ACK, data              | S. seq 0 ack X len 5    | . seq 1 ack 6  | ESTABLISHED  | dataPacketsInSequence
    SYN, ACK, FIN               | SF. seq 0 ack X         | . seq 1 ack 2  | CLOSE_WAIT   | connectionsEstablished
    SYN and old ACK             | S. seq 0 ack U          | R seq U ack 0  | =            | -
    SYN and ACK of what was not | S. seq 0 ack X+1        | R seq X+1      | =            | -
    ACK                         | . seq 0 ack X           | -              | =            | -
    old ACK                     | . seq 0 ack U           | R seq U        | =            | -
    ACK of what was not sent    | . seq 0 ack X+1         | R seq X+1      | =            | -
    data                        | P. seq 0 len 5 ack X    | -              | =            | -
    data without ACK            | - seq 0 len 5           | -              | =            | -
    FIN                         | F. seq 0 ack X          | -              | =            | -
    FIN without ACK             | F seq 0                 | -              | =            | -
    urgent data                 | U. seq 0 len 5 urg 5 ack X | -           | =            | -
    RST and ACK                 | R. seq 0 ack X          | -              | CLOSED       | connectionsRefused
    RST and old ACK             | R. seq 0 ack U          | -              | =            | resetsIgnored
    RST and ACK of what was not | R. seq 0 ack X+1        | -              | =            | resetsIgnored
    RST                         | R seq 0                 | -              | =            | resetsIgnored
  `,
  SYN_RECEIVED: `
    the SYN again               | S seq 0                 | S. seq 0 ack 1 | =           | duplicateSyns
    SYN in the window           | S seq R+5               | -              | LISTEN      | embryonicDropped
    SYN outside                 | S seq R+10000000        | . seq X ack R  | =           | challengeAcksSent
    SYN and ACK                 | S. seq 0 ack X          | . seq X ack R  | =           | challengeAcksSent
    ACK                         | . seq R ack X           | -              | ESTABLISHED | connectionAccepts
    old ACK                     | . seq R ack U           | R seq U        | =           | -
    ACK of what was not sent    | . seq R ack X+1         | R seq X+1      | =           | -
    data                        | P. seq R len 10 ack X   | . seq X ack R+10 | ESTABLISHED | dataPacketsInSequence
    data out of order           | P. seq R+10 len 5 ack X | . seq X ack R sack R+10-R+15 | ESTABLISHED | outOfOrderPackets
    data and old ACK            | P. seq R len 10 ack U   | R seq U        | =           | -
    old data                    | P. seq R-5 len 5 ack X  | . seq X ack R  | =           | -
    data beyond the window      | P. seq R+70000 len 5 ack X | . seq X ack R | =         | -
    data without ACK            | - seq R len 5           | -              | =           | droppedNoAck
    FIN                         | F. seq R ack X          | . seq X ack R+1 | CLOSE_WAIT | connectionAccepts
    FIN without ACK             | F seq R                 | -              | =           | droppedNoAck
    urgent data                 | U. seq R len 10 urg 5 ack X | . seq X ack R+10 | ESTABLISHED | urgentReceived
    RST                         | R seq R                 | -              | LISTEN      | embryonicDropped
    RST and ACK                 | R. seq R ack X          | -              | LISTEN      | embryonicDropped
    RST in the window           | R seq R+5               | . seq X ack R  | =           | challengeAcksSent
    RST outside                 | R seq R-1               | -              | =           | resetsIgnored
    RST beyond the window       | R seq R+70000           | -              | =           | resetsIgnored
  `,
  'SYN_RECEIVED, both having opened': `
    the SYN again               | S seq 0                 | S. seq 0 ack 1 | =           | -
    SYN in the window           | S seq R+5               | . seq X ack R  | =           | challengeAcksSent
    SYN outside                 | S seq R+10000000        | . seq X ack R  | =           | challengeAcksSent
    SYN and ACK                 | S. seq 0 ack X          | -              | ESTABLISHED | connectionsEstablished
    ACK                         | . seq R ack X           | -              | ESTABLISHED | connectionsEstablished
    old ACK                     | . seq R ack U           | R seq U        | =           | -
    ACK of what was not sent    | . seq R ack X+1         | R seq X+1      | =           | -
    data                        | P. seq R len 10 ack X   | . seq X ack R+10 | ESTABLISHED | dataPacketsInSequence
    data out of order           | P. seq R+10 len 5 ack X | . seq X ack R sack R+10-R+15 | ESTABLISHED | outOfOrderPackets
    old data                    | P. seq R-5 len 5 ack X  | . seq X ack R  | =           | duplicatePackets
    data without ACK            | - seq R len 5           | -              | =           | droppedNoAck
    FIN                         | F. seq R ack X          | . seq X ack R+1 | CLOSE_WAIT | connectionsEstablished
    FIN without ACK             | F seq R                 | -              | =           | droppedNoAck
    urgent data                 | U. seq R len 10 urg 5 ack X | . seq X ack R+10 | ESTABLISHED | urgentReceived
    RST                         | R seq R                 | -              | CLOSED      | connectionsRefused
    RST and ACK                 | R. seq R ack X          | -              | CLOSED      | connectionsRefused
    RST in the window           | R seq R+5               | . seq X ack R  | =           | challengeAcksSent
    RST outside                 | R seq R-1               | -              | =           | resetsIgnored
  `,
  ESTABLISHED: `
    ${SYNCHRONIZED}
    ${RECEIVING}
    ACK of nothing new | . seq R ack U          | -                | =          | acksReceived
    FIN                | F. seq R ack U         | . seq X ack R+1  | CLOSE_WAIT | -
    FIN with data      | F. seq R len 10 ack U  | . seq X ack R+11 | CLOSE_WAIT | dataPacketsInSequence
    FIN, data known    | F. seq R-5 len 5 ack U | . seq X ack R+1  | CLOSE_WAIT | partialDuplicatePackets
  `,
  FIN_WAIT_1: `
    ${SYNCHRONIZED}
    ${RECEIVING}
    ACK of nothing new      | . seq R ack U          | -                | =          | duplicateAcksReceived
    ACK of our FIN          | . seq R ack X          | -                | FIN_WAIT_2 | acksReceived
    ACK of our FIN and data | P. seq R len 10 ack X  | . seq X ack R+10 | FIN_WAIT_2 | dataPacketsInSequence
    FIN                     | F. seq R ack U         | . seq X ack R+1  | CLOSING    | -
    FIN with data           | F. seq R len 10 ack U  | . seq X ack R+11 | CLOSING    | dataPacketsInSequence
    FIN and ACK of ours     | F. seq R ack X         | . seq X ack R+1  | TIME_WAIT  | timeWaitEntered
  `,
  FIN_WAIT_2: `
    ${SYNCHRONIZED}
    ${RECEIVING}
    ACK of nothing new      | . seq R ack X          | -                | =          | acksReceived
    FIN                     | F. seq R ack X         | . seq X ack R+1  | TIME_WAIT  | timeWaitEntered
    FIN with data           | F. seq R len 10 ack X  | . seq X ack R+11 | TIME_WAIT  | dataPacketsInSequence
  `,
  CLOSE_WAIT: `
    ${SYNCHRONIZED}
    ${PEER_DONE}
    ACK of nothing new      | . seq R ack U          | -                | =          | acksReceived
  `,
  CLOSING: `
    ${SYNCHRONIZED}
    ${PEER_DONE}
    ACK of nothing new      | . seq R ack U          | -                | =          | duplicateAcksReceived
    ACK of our FIN          | . seq R ack X          | -                | TIME_WAIT  | timeWaitEntered
    FIN and ACK of ours     | F. seq R ack X         | -                | TIME_WAIT  | timeWaitEntered
    old FIN and ACK of ours | F. seq R-1 ack X       | . seq X ack R    | TIME_WAIT  | timeWaitEntered
  `,
  LAST_ACK: `
    ${SYNCHRONIZED}
    ${PEER_DONE}
    ACK of nothing new      | . seq R ack U          | -                | =          | duplicateAcksReceived
    ACK of our FIN          | . seq R ack X          | -                | CLOSED     | connectionsClosed
    FIN and ACK of ours     | F. seq R ack X         | -                | CLOSED     | connectionsClosed
  `,
  TIME_WAIT: `
    newer SYN                  | S seq R+5               | S. seq 0 ack R+6 | SYN_RECEIVED | timeWaitReused
    newer SYN, far outside     | S seq R+10000000        | S. seq 0 ack R+10000001 | SYN_RECEIVED | timeWaitReused
    old SYN                    | S seq R-20              | . seq X ack R | =      | challengeAcksSent
    SYN and ACK                | S. seq R ack X          | . seq X ack R | =      | challengeAcksSent
    ACK                        | . seq R ack X           | -             | =      | -
    old ACK                    | . seq R ack X-1         | -             | =      | -
    ACK of what was not sent   | . seq R ack X+1         | -             | =      | -
    data                       | P. seq R len 10 ack X   | . seq X ack R | =      | packetsAfterClose
    old data                   | P. seq R-5 len 5 ack X  | . seq X ack R | =      | packetsAfterClose
    data beyond the window     | P. seq R+9999999 len 5 ack X | . seq X ack R | = | packetsAfterClose
    keep-alive                 | . seq R-1 ack X         | . seq X ack R | =      | -
    the FIN again              | F. seq R-1 ack X        | . seq X ack R | =      | -
    another FIN                | F. seq R ack X          | . seq X ack R | =      | -
    data without ACK           | - seq R len 5           | -             | =      | droppedNoAck
    FIN without ACK            | F seq R-1               | -             | =      | droppedNoAck
    urgent data                | U. seq R len 9 urg 5 ack X | . seq X ack R | =   | packetsAfterClose
    RST at RCV.NXT             | R seq R                 | -             | CLOSED | resetsReceived
    RST and ACK at RCV.NXT     | R. seq R ack X          | -             | CLOSED | resetsReceived
    RST in the window          | R seq R+5               | . seq X ack R | =      | challengeAcksSent
    RST before the window      | R seq R-1               | -             | =      | resetsIgnored
    RST beyond the window      | R seq R+9999999         | -             | =      | resetsIgnored
  `,
};

const FIXTURES: Readonly<Record<string, (t: Transcript, options: HandshakeOptions) => unknown>> = {
  CLOSED: () => {},
  LISTEN: (t) => t.listen(),
  SYN_SENT: (t) => t.synSent(),
  SYN_RECEIVED: (t, options) => t.synReceived(options),
  'SYN_RECEIVED, both having opened': (t, options) => t.simultaneous(options),
  ESTABLISHED: (t, options) => t.established(options),
  FIN_WAIT_1: (t, options) => t.finWait1(options),
  FIN_WAIT_2: (t, options) => t.finWait2(options),
  CLOSE_WAIT: (t, options) => t.closeWait(options),
  CLOSING: (t, options) => t.closing(options),
  LAST_ACK: (t, options) => t.lastAck(options),
  TIME_WAIT: (t, options) => t.timeWait(options),
};

/** The numbers that the letters of a line stand for. */
function letters(t: Transcript, state: string): Record<string, number> {
  const c = t.conn;
  if (c === null || state === 'SYN_RECEIVED') return { R: 1, E: 65536, U: 0, X: 1 };
  const theirs = (seq: number): number => (seq - c.rcv.irs) | 0;
  const ours = (seq: number): number => (seq - c.snd.iss) | 0;
  return { R: theirs(c.rcv.nxt), E: theirs(c.rcv.adv), U: ours(c.snd.una), X: ours(c.snd.nxt) };
}

function fill(text: string, values: Record<string, number>): string {
  return text.replace(/(?<=[ -])([REUX])([+-]\d+)?(?=[ -]|$)/g, (_, letter: string, offset?: string) =>
    String((values[letter] as number) + Number(offset ?? 0)),
  );
}

const lines = (table: string): string[][] =>
  table
    .split('\n')
    .filter((line) => line.includes('|'))
    .map((line) => line.split('|').map((cell) => cell.trim()));

const VARIANTS: Readonly<Record<string, HandshakeOptions & { family?: 6 }>> = {
  'no timestamps': {},
  timestamps: { ts: true },
  'scaled windows': { ts: true, ws: 9 },
  IPv6: { family: 6 },
};

for (const [variant, options] of Object.entries(VARIANTS)) {
  describe.each(Object.entries(TABLE))(`%s (${variant})`, (state, table) => {
    it.each(lines(table))('%s: %s → %s, %s', (_kind, segment, answers, next, counter) => {
      const t = new Transcript({ family: options.family ?? 4 });
      (FIXTURES[state] as (t: Transcript, options: HandshakeOptions) => unknown)(t, options);
      const before = t.state;
      expect(before).toBe(state.split(',')[0]);
      t.expectNothing();
      const values = letters(t, state);
      const counted = counter === '-' ? 0 : t.count(counter as never);
      const stamp = state.includes('both') && options.ts && segment?.startsWith('S.') ? ` ts ${t.peerClock} 0` : '';
      t.send(fill(segment as string, values) + stamp);
      for (const answer of (answers as string).split(',')) if (answer !== '-') t.expect(fill(answer.trim(), values));
      t.expectNothing();
      expect(t.state).toBe(next === '=' ? before : next);
      if (counter !== '-') expect(t.count(counter as never) - counted, counter).toBe(1);
    });
  });
}
