/** The cloner of vlans: `ifconfig vlan0 create`. Thread: the one that runs the kernel. Cold: configuration. */

import type { InterfaceCloner } from '../interface-cloner.ts';
import type { LinkLayer } from '../link-layer.ts';
import { VlanLink } from './vlan-link.ts';

export class VlanCloner implements InterfaceCloner {
  readonly prefix: string = 'vlan';
  readonly #view: DataView;

  constructor(view: DataView) {
    this.#view = view;
  }

  create(_unit: number): LinkLayer {
    return new VlanLink(this.#view);
  }
}
