/**
 * The simulated host: kernels on one thread, a virtual clock, chance from a seed. Equal seeds give equal packets. Public
 * subpath `multikernel/sim`; kernels come from `multikernel/kernel`, links and what is wrong with them from `multikernel/link`.
 *
 * @module multikernel/sim
 */

export { type Rng, SeededRng } from '../../base/rng.ts';
export type { Agent, Host } from '../contract.ts';
export { Simulation } from './simulation.ts';
