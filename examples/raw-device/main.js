/**
 * A kernel on one end of a link, this program on the other. The program speaks the protocols itself, frame by frame: it
 * answers ARP and echoes UDP, with the formats of multikernel/wire.
 */

import { Kernel } from 'multikernel/kernel';
import { RawDevice } from 'multikernel/link';
import { Arena } from 'multikernel/mem';
import { Simulation } from 'multikernel/sim';
import { DatagramInfo, SocketAddress } from 'multikernel/socket';
import { arp, ethernet, ipv4, pretty, udp } from 'multikernel/wire';

const OURS = { mac: ethernet.parseMac('02:00:00:00:00:02'), address: ipv4.parseAddress('10.0.0.2') };
const arena = Arena.create(64 * 1024 * 1024);
const device = new RawDevice(arena, { mac: ethernet.parseMac('02:00:00:00:00:01') });

function send(to, type, payload) {
  const frame = new Uint8Array(ethernet.HEADER_BYTES + payload.length);
  const header = { dstHi: to.srcHi, dstLo: to.srcLo, srcHi: OURS.mac.hi, srcLo: OURS.mac.lo, type, payload };
  const view = new DataView(frame.buffer);
  ethernet.emit(header, view, 0);
  console.log(`out ${pretty.formatFrame(view, 0, frame.length)}`);
  device.inject(frame);
}

function answerArp(frame, view) {
  const request = arp.parse(view, 0, view.byteLength);
  if (request?.operation !== arp.OPERATION_REQUEST || request.targetAddress !== OURS.address) return;
  const reply = new DataView(new ArrayBuffer(arp.PACKET_BYTES));
  arp.setOperation(reply, 0, arp.OPERATION_REPLY);
  arp.setSender(reply, 0, OURS.mac.hi, OURS.mac.lo, OURS.address);
  arp.setTarget(reply, 0, request.senderHi, request.senderLo, request.senderAddress);
  send(frame, ethernet.ETHERTYPE_ARP, new Uint8Array(reply.buffer));
}

function echoUdp(frame, view) {
  const packet = ipv4.parse(view, 0, view.byteLength);
  if (packet?.protocol !== ipv4.PROTOCOL_UDP || packet.dst !== OURS.address) return;
  const bytes = new DataView(packet.payload.buffer, packet.payload.byteOffset, packet.payload.length);
  const datagram = udp.parse(bytes, 0, bytes.byteLength);
  udp.emit({ ...datagram, srcPort: datagram.dstPort, dstPort: datagram.srcPort }, bytes, 0);
  udp.fillChecksum(bytes, 0, packet.dst, packet.src);
  const echo = { ...packet, src: packet.dst, dst: packet.src };
  const out = new DataView(new ArrayBuffer(ipv4.lengthOf(echo)));
  ipv4.emit(echo, out, 0);
  send(frame, ethernet.ETHERTYPE_IPV4, new Uint8Array(out.buffer));
}

device.onFrame = (bytes) => {
  const view = new DataView(bytes.buffer);
  console.log(`in  ${pretty.formatFrame(view, 0, bytes.length)}`);
  const frame = ethernet.parse(view, 0, bytes.length);
  const payload = new DataView(bytes.buffer, ethernet.HEADER_BYTES);
  if (frame.type === ethernet.ETHERTYPE_ARP) answerArp(frame, payload);
  if (frame.type === ethernet.ETHERTYPE_IPV4) echoUdp(frame, payload);
};

const simulation = new Simulation(1);
const interfaces = [{ device, addresses: ['10.0.0.1/24'] }];
const kernel = Kernel.create({ name: 'k', arena, host: simulation.host(), interfaces });
simulation.add(...kernel.cpus);
simulation.run(5_000_000);

const socket = kernel.sockets.datagram();
const message = Buffer.from('knock');
socket.send(message, 0, message.length, SocketAddress.from('10.0.0.2', 7));
if (!simulation.runUntil(() => socket.nextBytes >= 0, 10_000_000)) throw new Error('nothing came back');
const answer = new Uint8Array(64);
const info = new DatagramInfo();
const count = socket.receive(answer, 0, answer.length, info);
console.log(`${info.from.format()} port ${info.from.port}: ${Buffer.from(answer).toString('utf8', 0, count)}`);
