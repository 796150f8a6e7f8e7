/**
 * A plan in words, for whoever looks into a seed.
 */

import type { Impairment } from '../../../src/link/impairment.ts';
import type { WorldPlan } from './plan.ts';
import type { SidePlan } from './traffic.ts';
import type { EventPlan } from './trouble.ts';

function ms(us: number): string {
  return `${Math.round(us) / 1000} ms`;
}

function impairmentText(impairment: Impairment): string {
  const { delayUs, jitterUs, loss, duplicate, reorder, corrupt, rateBps, queueFrames, burst } = impairment;
  const words: string[] = [];
  if (delayUs) words.push(`delay ${ms(delayUs)}`);
  if (jitterUs) words.push(`jitter ${ms(jitterUs)}`);
  for (const [name, p] of Object.entries({ loss, duplicate, reorder, corrupt })) {
    if (p) words.push(`${name} ${(100 * p).toFixed(2)} %`);
  }
  if (burst !== undefined) words.push(`bursts ${burst.enter.toFixed(3)}/${burst.leave.toFixed(3)}`);
  if (rateBps) words.push(`${(rateBps / 1e6).toFixed(2)} Mbit/s, queue ${queueFrames}`);
  return words.join(', ');
}

function sideText(side: SidePlan): string {
  const words = [`${side.sendBytes} bytes`, `writes to ${side.writeMost}`, `reads to ${side.readMost}`];
  if (side.readPauseUs > 0) words.push(`pauses ${ms(side.readPauseUs)}`);
  if (side.idleUs > 0) words.push(`idle ${ms(side.idleUs)}`);
  if (side.keepIdleMs > 0) words.push(`keep-alive ${side.keepIdleMs}+${side.keepCount}*${side.keepIntervalMs} ms`);
  if (side.ending === 'abort' || side.ending === 'leave') words.push(`${side.ending} after ${side.endAtBytes}`);
  else if (side.ending === 'linger') words.push('linger 0');
  return words.join(', ');
}

function eventText(plan: WorldPlan, event: EventPlan): string {
  const name = (node: number): string => plan.nodes[node]?.name ?? '';
  if (event.kind === 'change') {
    return `${ms(event.atUs)}: ${name(event.node)}/eth${event.port} becomes ${impairmentText(event.impairment) || 'perfect'}`;
  }
  const span = `${ms(event.atUs)} to ${ms(event.untilUs)}`;
  if (event.kind === 'flap') return `${span}: ${name(event.node)}/eth${event.port} is switched off`;
  if (event.kind === 'reboot') return `${span}: ${name(event.node)} is down`;
  return `${span}: cut ${event.ports.map(([node, port]) => `${name(node)}/eth${port}`).join(' ')}`;
}

export function outlineOf(plan: WorldPlan): string {
  const lines = [`world ${plan.seed}, trouble: ${plan.severity}, ${plan.families}, heaps of ${plan.heapBytes}`];
  for (const [index, one] of plan.segments.entries()) {
    lines.push(
      `segment ${index}: subnet ${one.subnet}, MTU ${one.mtuBytes}, rings ${one.ringBytes}, caps ${one.capabilities}`,
    );
  }
  for (const [n, node] of plan.nodes.entries()) {
    const sysctls = Object.entries(plan.sysctls[n] ?? {}).map(([name, value]) => `${name}=${value}`);
    lines.push(
      `${node.name} (${node.kind}${node.auto ? ', autoconfigured' : ''})${node.kind === 'bridge' ? '' : ` ${sysctls.join(' ')}`}`,
    );
    if ((plan.acceptDelaysUs[n] ?? 0) > 0) lines.push(`  accepts after ${ms(plan.acceptDelaysUs[n] ?? 0)}`);
    for (const [p, port] of node.ports.entries()) {
      const what = impairmentText(plan.impairments[n]?.[p] ?? {});
      lines.push(
        `  eth${p} on segment ${port.segment} ${port.address} ${port.address6} ${port.full}${what === '' ? '' : `: ${what}`}`,
      );
    }
    for (const { destination, prefixLength, gateway } of node.routes) {
      lines.push(`  route ${destination}/${prefixLength} by ${gateway}`);
    }
  }
  for (const one of plan.streams) {
    const names = `${plan.nodes[one.client]?.name} to ${plan.nodes[one.server]?.name}:${one.port}`;
    lines.push(`stream ${one.id} at ${ms(one.atUs)}: ${names} by ${one.naming}${one.mutual ? ', mutual' : ''}`);
    for (const side of one.sides) lines.push(`  ${sideText(side)}`);
  }
  for (const one of plan.datagrams) {
    const names = `${plan.nodes[one.client]?.name} to ${plan.nodes[one.server]?.name}:${one.port}`;
    lines.push(
      `datagrams ${one.id} at ${ms(one.atUs)}: ${names}, ${one.count} of up to ${one.sizeMost} bytes every ${ms(one.intervalUs)}, by ${one.naming}, echo ${one.echoEvery}${one.connected ? ', connected' : ''}`,
    );
  }
  for (const event of plan.events) lines.push(eventText(plan, event));
  return `${lines.join('\n')}\n`;
}
