/** Segmentation and checksums in software, for layers above net/: those of link/offload.ts. */

export { ChecksumCompletion, DATAGRAMS_MAX, SuperFrame } from '../link/offload.ts';
