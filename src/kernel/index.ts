/**
 * A kernel as a library, in any thread. Public subpath `multikernel/kernel`.
 *
 * ```ts
 * import { Kernel } from 'multikernel/kernel';
 * const kernel = Kernel.create({ name: 'a', host, interfaces: [{ device, addresses: ['10.0.0.1/24'] }] });
 * kernel.cpus[0].doWork(host.nowUs());
 * ```
 *
 * The host gives time and randomness: an object of your own, the simulated host (`multikernel/sim`), or an {@link EventLoop},
 * which works for kernels between the callbacks of a Node program, or a {@link ThreadLoop}, which has a thread of its own:
 * `loop.add(...kernel.cpus)`. Devices: `multikernel/link`. Sockets: `multikernel/socket`.
 * Programs that are no JavaScript make system calls by number, with pointers into a memory: `kernel.processes`.
 *
 * @module multikernel/kernel
 */

export { MultikernelError } from '../base/errors.ts';
export { type Rng, SeededRng } from '../base/rng.ts';
export type { Agent, BusFile, FileHead, FileKind, Host, PlacesFile, PlacesHost } from '../host/contract.ts';
export { EventLoop, type EventLoopOptions } from '../host/node/event-loop.ts';
export { FilePlaces } from '../host/node/ffi/file-places.ts';
export { ThreadLoop, type ThreadLoopOptions } from '../host/node/thread-loop.ts';
export { ArrayMemory, FrameMemory, InstanceMemory, RegionMemory, UserMemory } from '../sys/copy.ts';
export { type Process, ProcessTable } from '../sys/process.ts';
export { SYS, systemCall } from '../sys/syscalls.ts';
export { BLOCKED, SystemCall } from '../sys/system-call.ts';
export { openBpf, type RemoteBpfOptions } from '../tools/bin/bpf-at.ts';
export {
  BpfDevice,
  type BpfFrame,
  type BpfOptions,
  type BpfSettings,
  type BpfStatistics,
  bpfFrames,
} from '../tools/bpf-device.ts';
export type { CaptureBatch, CapturedFrame, CaptureEvent, CaptureRequest } from '../tools/capture-stream.ts';
export type { DeviceStream } from '../tools/device-stream.ts';
export type { CaptureFile, CaptureFileOptions, CaptureTotal, FrameCapture } from '../tools/frame-capture.ts';
export type { InterfaceConfig, KernelConfig, KernelMemory, RouteConfig } from './create.ts';
export { Kernel } from './kernel.ts';
export type { KernelCpu } from './kernel-cpu.ts';
