/**
 * multikernel: many small network kernels in one program. The façade; everything else is behind it or in the subpaths.
 *
 * ```ts
 * import { lab } from 'multikernel';
 * await using net = await lab('multikernel.yml');
 * const partition = await net.partition('api', 'db');
 * await net.until(async () => (await net.node('api').sockets({ state: 'ESTABLISHED' })).some((s) => s.retransmits > 0));
 * await partition.heal();
 * ```
 *
 * @module multikernel
 */

export { MultikernelError } from './base/errors.ts';
export type {
  BridgeOptions,
  BridgePortOptions,
  CheckOptions,
  HostOptions,
  ImpairmentOptions,
  LabOptions,
  LineOptions,
  LinkOptions,
  NetworkOptions,
  NodeOptions,
  Placement,
  TimelineOptions,
  TunnelOptions,
} from './lab/config.ts';
export { type Ability, type MachineReport, machineReport } from './lab/doctor.ts';
export type {
  LogsOptions,
  MetricsOptions,
  PartitionOptions,
  ProgramOptions,
  StopOptions,
} from './lab/facade-checks.ts';
export { ownImpairment } from './lab/facade-checks.ts';
export type { ForwardedPort } from './lab/forwarded-port.ts';
export type { HttpOptions } from './lab/http-client.ts';
export { formatImpairment } from './lab/impairment-values.ts';
export {
  attach,
  Lab,
  LabLink,
  lab,
  labs,
  type Nodes,
  Partition,
  readLab,
  type StartOptions,
} from './lab/lab.ts';
export { formatProblem, LabFileError, type Position, type Problem } from './lab/lab-file.ts';
export { LabNode } from './lab/lab-node.ts';
export { type ExecOptions, type ExecResult, type MachineCommand, machineCommand } from './lab/machine-command.ts';
export type {
  CheckResult,
  CounterBlock,
  FlowInfo,
  HostPortInfo,
  LabInfo,
  LinkInfo,
  LogLine,
  MetricsSample,
  NetworkInfo,
  NodeAddress,
  NodeMetrics,
  NodeStatus,
  PartitionInfo,
  Phase,
  ProgramError,
  ServiceInfo,
} from './lab/operations.ts';
export type { LabPlan } from './lab/plan.ts';
export { durationMs, formatDuration } from './lab/quantity.ts';
export { kernelSocket } from './lab/runtime-folder.ts';
export type { KernelClient } from './rump/kernel-client.ts';
export type { AddressFamily } from './tools/address-text.ts';
export type { CaptureBatch, CapturedFrame, CaptureEvent, CaptureRequest } from './tools/capture-stream.ts';
export type { InterfaceChange, NeighborEntry, NewAddress, RouteChange } from './tools/change-requests.ts';
export type { PingEvent, PingOptions } from './tools/echo.ts';
export type { CaptureFile, CaptureFileOptions, CaptureTotal, FrameCapture } from './tools/frame-capture.ts';
export type { Address6Info, AddressInfo, InterfaceInfo } from './tools/interface-text.ts';
export type { NeighborInfo } from './tools/neighbor-text.ts';
export type { RouteInfo } from './tools/route-text.ts';
export type { SocketInfo } from './tools/socket-text.ts';
export type { StreamIterable } from './tools/stream-iterable.ts';
export type { TcpConnection } from './tools/tcp-connection.ts';
