/** Impairments of a link, for layers above net/: those of link/impairment.ts. */

export { type Impairment, JITTER_DISTRIBUTIONS } from '../link/impairment.ts';
