/** Names of the own machine. Thread: any. */

const LOCALHOST = /^(?:[^.]{1,63}\.)*localhost(?:\.localdomain)?$/;

/** Whether a name, in lower case and without its final dot, stands for `localhost` (RFC 6761 section 6.3, nss-myhostname(8)). */
export function isLocalhost(name: string): boolean {
  return LOCALHOST.test(name);
}
