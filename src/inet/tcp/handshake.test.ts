import { describe, expect, it } from 'vitest';
import { Transcript } from '../../../test/fixtures/tcp-transcript.ts';
import { Errno } from '../../base/errors.ts';

describe('active open', () => {
  it('offers MSS, SACK, timestamps and window scale, and is established by the SYN-ACK', () => {
    const t = new Transcript();
    expect(t.connect()).toBe('');
    expect(t.state).toBe('SYN_SENT');
    t.expect('S seq 0 win 65535 mss 1460 ws 7 sackok');
    t.at(30);
    t.send('S. seq 0 ack 1 win 5792 mss 1400 ws 2 sackok ts 700 0');
    expect(t.state).toBe('ESTABLISHED');
    expect(t.events).toEqual(['connected']);
    const ack = t.expect('. seq 1 ack 1 len 0');
    expect(ack.ts?.[1]).toBe(700);
    expect(ack.win).toBe(131072 >> 7);
    // The window of a SYN is not scaled.
    expect(t.c.snd.wnd).toBe(5792);
    expect(t.c.size.mss).toBe(1388);
    expect(t.c.rtt.srttUs).toBe(30_000);
    expect(t.c.congestion.cwnd).toBe(10 * 1388);
  });

  it('uses no option that the peer left out', () => {
    const t = new Transcript();
    t.connect();
    t.skip();
    t.send('S. seq 0 ack 1 win 1000');
    const ack = t.expect('. seq 1 ack 1 nots');
    expect(ack.win).toBe(65535);
    expect(t.c.size.mss).toBe(536);
    expect(t.c.sackOk).toBe(false);
  });

  it('repeats the SYN after 1, 2, 4, ... seconds and gives up with ETIMEDOUT', () => {
    const t = new Transcript({ sysctl: { syn_retries: 3 } });
    t.connect();
    t.expect('S seq 0 at 0');
    t.at(20_000);
    t.expect('S seq 0 at 1000');
    t.expect('S seq 0 at 3000');
    t.expect('S seq 0 at 7000');
    t.expectNothing();
    expect(t.state).toBe('CLOSED');
    expect(t.events).toEqual(['connected']);
    expect(t.error).toBe('ETIMEDOUT');
    expect(t.ip.openPaths).toBe(0);
  });

  it('starts with one segment and an RTO of three seconds when a SYN was lost', () => {
    const t = new Transcript();
    t.connect();
    t.at(1000);
    t.skip();
    t.send('S. seq 0 ack 1 win 65535 mss 1460');
    t.expect('. seq 1 ack 1');
    expect(t.c.congestion.cwnd).toBe(1460);
    expect(t.c.rtt.rtoUs).toBe(3_000_000);
  });

  it('is refused by a reset that acknowledges the SYN, not by any other', () => {
    const t = new Transcript().synSent();
    t.send('R seq 0');
    t.send('R. seq 0 ack 2');
    t.send('R. seq 0 ack 0');
    expect(t.state).toBe('SYN_SENT');
    t.send('R. seq 0 ack 1');
    expect(t.state).toBe('CLOSED');
    expect(t.error).toBe('ECONNREFUSED');
    expect(t.events).toEqual(['connected']);
    t.expectNothing();
  });

  it('answers an unacceptable ACK by a reset and stays', () => {
    const t = new Transcript().synSent();
    t.send('S. seq 0 ack 9');
    t.expect('R seq 9 ack 0 len 0');
    t.send('. seq 0 ack 0');
    t.expect('R seq 0');
    expect(t.state).toBe('SYN_SENT');
  });

  it('sends the SYN again soon after it reset an old connection, which is no loss', () => {
    const t = new Transcript();
    t.connect();
    t.expect('S seq 0 at 0');
    t.at(100);
    t.send('. seq 5000 ack 9000');
    t.expect('R seq 9000 at 100');
    t.at(109);
    t.expectNothing();
    t.at(110);
    t.expect('S seq 0 at 110');
    t.at(150);
    t.send('S. seq 0 ack 1 win 65535 mss 1460');
    t.expect('. seq 1 ack 1');
    expect([t.state, t.count('retransmitTimeouts')]).toEqual(['ESTABLISHED', 0]);
    // Ten segments and a timeout of one second: neither the window nor the timer starts as after the loss of a SYN.
    expect([t.c.congestion.cwnd, t.c.rtt.rtoUs, t.c.rtt.srttUs < 0]).toEqual([14_600, 1_000_000, true]);
  });

  it('does so once, and only when the reset was sent', () => {
    const t = new Transcript({ sysctl: { rstppslimit: 1 } });
    t.connect();
    t.expect('S seq 0 at 0');
    for (let i = 0; i < 3; i++) t.send('. seq 5000 ack 9000');
    expect(t.skip()).toBe(1);
    t.at(10);
    t.expect('S seq 0 at 10');
    t.at(100);
    t.send('. seq 5000 ack 9000');
    t.at(1009);
    t.skip();
    t.at(1010);
    t.expect('S seq 0 at 1010');
    const limited = new Transcript({ sysctl: { rstppslimit: 0 } });
    limited.connect();
    limited.expect('S seq 0 at 0');
    limited.send('. seq 5000 ack 9000');
    limited.at(999);
    limited.expectNothing();
    // A reset for what was never sent is none of ours, and is answered by nothing.
    const reset = new Transcript().synSent();
    reset.send('R. seq 0 ack 9');
    reset.at(999);
    reset.expectNothing();
  });

  it('opens simultaneously', () => {
    const t = new Transcript().synSent();
    t.send('S seq 0 win 65535 mss 1460 sackok ts 7 0');
    expect(t.state).toBe('SYN_RECEIVED');
    t.expect('S. seq 0 ack 1 mss 1460 sackok');
    t.send('S. seq 0 ack 1 win 65535 mss 1460 sackok ts 8 0');
    expect(t.state).toBe('ESTABLISHED');
    expect(t.events).toEqual(['connected']);
    t.write(10);
    t.expect('P. seq 1 ack 1 len 10');
  });

  it('opens simultaneously with an ACK alone, and repeats the SYN-ACK until then', () => {
    const t = new Transcript().synSent();
    t.send('S seq 0 mss 1460');
    t.expect('S. seq 0 ack 1');
    t.at(1000);
    t.expect('S. seq 0 ack 1 at 1000');
    t.send('S seq 0 mss 1460');
    t.expect('S. seq 0 ack 1');
    t.send('. seq 1 ack 1');
    expect(t.state).toBe('ESTABLISHED');
  });

  it('closed before the peer has answered, keeps its FIN until the handshake is complete (RFC 9293 3.10.4)', () => {
    const t = new Transcript().simultaneous();
    const { c } = t;
    t.close();
    t.expectNothing();
    expect(t.state).toBe('SYN_RECEIVED');
    t.after(1000);
    t.expect('S. seq 0 ack 1');
    t.send('S. seq 0 ack 1 win 65535');
    t.expect('F. seq 1 ack 1');
    expect(t.state).toBe('FIN_WAIT_1');
    t.send('F. seq 1 ack 2');
    t.expect('. seq 2 ack 2');
    expect(t.state).toBe('TIME_WAIT');
    expect([c.error, t.count('connectionsClosed'), t.count('resetsSent')]).toEqual([0, 1, 0]);
  });

  it('shut down before the peer has answered, still takes its data', () => {
    const t = new Transcript().simultaneous();
    t.shutdown();
    t.send('PF. seq 1 ack 1 len 10');
    t.expect('F. seq 1 ack 12');
    expect(t.state).toBe('CLOSING');
    expect(t.read(100)).toBe(10);
    t.send('. seq 12 ack 2');
    expect(t.state).toBe('TIME_WAIT');
  });

  it('closed before the peer has answered, gives up with the handshake; is reset with a linger time of zero', () => {
    const t = new Transcript().simultaneous();
    t.close();
    t.after(200_000);
    expect([t.state, t.stack.connectionCount]).toEqual(['CLOSED', 0]);
    const hard = new Transcript().simultaneous();
    hard.c.options.lingerMs = 0;
    hard.close();
    hard.expect('R. seq 1 ack 1');
    expect(hard.state).toBe('CLOSED');
  });

  it('fails at once where IP knows no way, and later where IP learns it', () => {
    const t = new Transcript();
    t.ip.unreachable = -Errno.ENETUNREACH;
    expect(t.connect()).toBe('ENETUNREACH');
    t.ip.unreachable = 0;
    t.ip.refuse = -Errno.EHOSTUNREACH;
    expect(t.connect()).toBe('EHOSTUNREACH');
    t.ip.refuse = 0;
    expect(t.connect()).toBe('');
    t.skip();
    t.icmp(3, 1, 0);
    expect(t.error).toBe('EHOSTUNREACH');
    expect(t.ip.openPaths).toBe(0);
    expect(t.stack.connectionCount).toBe(0);
  });

  it('waits for room on the link', () => {
    const t = new Transcript();
    t.ip.refuse = -Errno.ENOBUFS;
    expect(t.connect()).toBe('');
    t.expectNothing();
    t.ip.refuse = 0;
    t.at(5);
    t.expect('S seq 0 at 5');
  });

  it('leaves nothing behind when the socket is closed before the answer', () => {
    const t = new Transcript().synSent();
    t.close();
    t.send('S. seq 0 ack 1');
    t.expect('R seq 1');
    expect(t.ip.openPaths).toBe(0);
    expect(t.stack.connectionCount).toBe(0);
  });

  it('takes data and FIN that come with the SYN-ACK', () => {
    const t = new Transcript().synSent();
    t.send('SF. seq 0 ack 1 len 5');
    t.expect('. seq 1 ack 7');
    expect(t.state).toBe('CLOSE_WAIT');
    expect(t.read()).toBe(5);
    expect(t.read()).toBe(0);
  });
});

describe('passive open', () => {
  it('answers a SYN with what both can do', () => {
    const t = new Transcript();
    t.listen();
    t.send('S seq 0 win 65535 mss 1300 ws 3 sackok ts 11 0');
    const synAck = t.expect('S. seq 0 ack 1 win 65535 mss 1460 ws 7 sackok');
    expect(synAck.ts?.[1]).toBe(11);
    t.send('. win 100');
    expect(t.state).toBe('ESTABLISHED');
    expect(t.c.snd.wnd).toBe(800);
    expect(t.c.size.mss).toBe(1288);
  });

  it('answers a plain SYN plainly', () => {
    const t = new Transcript();
    t.listen();
    t.send('S seq 0');
    const synAck = t.expect('S. seq 0 ack 1 mss 1460 nots');
    expect(synAck.ws).toBeUndefined();
    expect(synAck.sackok).toBeUndefined();
  });

  it('negotiates nothing that is switched off', () => {
    const t = new Transcript({ sysctl: { timestamps: 0, 'sack.enable': 0, win_scale: 0 } });
    t.listen();
    t.send('S seq 0 mss 1460 ws 7 sackok ts 1 0');
    const synAck = t.expect('S. seq 0 ack 1 mss 1460 nots');
    expect([synAck.ws, synAck.sackok]).toEqual([undefined, undefined]);
  });

  it('repeats the SYN-ACK with doubling time-outs, then forgets', () => {
    const t = new Transcript({ sysctl: { synack_retries: 2 } });
    t.listen();
    t.send('S seq 0');
    t.expect('S. at 0');
    t.at(60_000);
    t.expect('S. at 1000');
    t.expect('S. at 3000');
    t.expectNothing();
    expect(t.stack.synEntryCount).toBe(0);
    expect(t.ip.openPaths).toBe(0);
    t.send('. seq 1 ack 1');
    t.expect('R seq 1');
  });

  it('repeats the SYN-ACK for a repeated SYN', () => {
    const t = new Transcript().synReceived();
    t.send('S seq 0 mss 1460 sackok');
    t.expect('S. seq 0 ack 1');
    expect(t.stack.synEntryCount).toBe(1);
  });

  it('waits for the answer to a SYN-ACK that a repeated SYN drew, however late it came', () => {
    const t = new Transcript();
    t.listen();
    t.send('S seq 0 mss 1460');
    t.at(62_900);
    t.skip();
    t.send('S seq 0 mss 1460');
    t.expect('S. seq 0 ack 1 at 62900');
    t.at(63_500);
    t.send('. seq 1 ack 1');
    expect(t.state).toBe('ESTABLISHED');
  });

  it('goes back to LISTEN on a reset at the next number, and only there', () => {
    const t = new Transcript().synReceived();
    t.send('R seq 9');
    t.expect('. seq 1 ack 1');
    expect(t.stack.synEntryCount).toBe(1);
    t.send('R seq 1');
    expect(t.stack.synEntryCount).toBe(0);
    t.expectNothing();
  });

  it('resets an ACK of something else', () => {
    const t = new Transcript().synReceived();
    t.send('. seq 1 ack 2');
    t.expect('R seq 2 len 0');
    expect(t.stack.synEntryCount).toBe(1);
  });

  it('takes data and FIN with the final ACK', () => {
    const t = new Transcript().synReceived();
    t.send('FP. seq 1 ack 1 len 100');
    t.expect('. seq 1 ack 102');
    expect(t.state).toBe('CLOSE_WAIT');
    expect(t.read()).toBe(100);
    expect(t.read()).toBe(0);
  });

  it('in LISTEN ignores RST, resets ACK, drops what has no SYN', () => {
    const t = new Transcript();
    t.listen();
    t.send('R seq 0');
    t.send('F seq 0');
    t.send('- seq 0');
    t.expectNothing();
    t.send('. seq 0 ack 77');
    expect(t.captured.length).toBe(1);
    expect(t.captured[0]?.flags).toBe('R');
  });

  it('is deaf to SYNs while the accept queue is full, and to the ACKs of half-open ones', () => {
    const t = new Transcript();
    t.listen(0);
    t.send('S seq 0');
    t.expect('S.');
    t.peerPort = 4001;
    t.send('S seq 0');
    t.expect('S.');
    // One may wait. The transcript takes it at the end of a batch, so nothing is worked here.
    t.send('. seq 1 ack 1', false);
    expect(t.listener?.acceptQueue.length).toBe(1);
    t.peerPort = 4000;
    t.send('. seq 1 ack 1', false);
    t.peerPort = 4002;
    t.send('S seq 0', false);
    expect(t.count('listenQueueOverflows')).toBe(2);
    t.expectNothing();
  });

  it('resets to a port where nobody listens: with ACK of the SYN, or at the ACK given', () => {
    const t = new Transcript();
    t.send('S seq 0 len 3');
    expect(t.captured[0]).toMatchObject({ flags: '.R', seq: 0, ack: 4, len: 0 });
    t.skip();
    t.send('. seq 0 ack 55');
    expect(t.captured[0]).toMatchObject({ flags: 'R', ack: 0, len: 0 });
    t.skip();
    t.send('R seq 0');
    t.expectNothing();
  });

  it('chooses first sequence numbers that differ by connection and grow with time (RFC 6528)', () => {
    const { stack, local, peer } = new Transcript();
    const iss = (ports: number, atUs: number): number => stack.isn.sequence(local, peer, ports, atUs);
    const ports = (50_000 << 16) | 80;
    const first = iss(ports, 1000);
    expect([(iss(ports, 1001) - first) | 0, (iss(ports, 5_001_000) - first) | 0]).toEqual([16, 80_000_000]);
    const others = Array.from({ length: 1000 }, (_, i) => iss(ports + i, 1000));
    expect(new Set(others).size).toBeGreaterThan(998);
    // Another machine's are others: the hash has a key.
    const { stack: stranger } = new Transcript({ seed: 2 });
    expect(stranger.isn.sequence(local, peer, ports, 1000)).not.toBe(first);
    const t = new Transcript();
    t.connect();
    expect(t.c.snd.iss).toBe(t.stack.isn.sequence(local, peer, t.c.ports, t.nowUs));
  });
});
