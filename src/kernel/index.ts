/**
 * A kernel as a library, in any thread. Public subpath `multikernel/kernel`.
 *
 * ```ts
 * import { Kernel } from 'multikernel/kernel';
 * const kernel = Kernel.create({ name: 'a', host, interfaces: [{ device, addresses: ['10.0.0.1/24'] }] });
 * kernel.doWork(host.nowUs());
 * ```
 *
 * The host gives time and randomness: an object of your own, the simulated host (`multikernel/sim`), or an {@link EventLoop},
 * which works for kernels between the callbacks of a Node program. Devices: `multikernel/link`. Sockets: `multikernel/socket`.
 */

export { MultikernelError } from '../base/errors.ts';
export { type Rng, SeededRng } from '../base/rng.ts';
export type { Agent, Host } from '../host/contract.ts';
export { EventLoop, type EventLoopOptions } from '../host/node/event-loop.ts';
export type { InterfaceConfig, KernelConfig, KernelMemory, RouteConfig } from './create.ts';
export { Kernel } from './kernel.ts';
