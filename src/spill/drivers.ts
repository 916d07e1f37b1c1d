/** The choice of a site's drivers, and the pair of a site that does not spill. */
import type { Config } from '../model/config.ts';
import type { Host } from '../net/host.ts';
import { spillLayout } from './layout.ts';
import type { FlowCounts, SteeringDriver, TunnelDriver } from './port.ts';
import { NftSteering } from './steering-nft.ts';
import { VxlanTunnel } from './tunnel-vxlan.ts';

const NO_FLOWS: FlowCounts = { kept: 0, sent: {}, guests: {} };

export const noTunnel: TunnelDriver = {
  kind: 'none',
  ensure: async () => new Map(),
  remove: async () => {},
};

export const noSteering: SteeringDriver = {
  kind: 'none',
  apply: async () => {},
  counts: async () => NO_FLOWS,
  close: async () => {},
};

export interface SpillDrivers {
  readonly tunnel: TunnelDriver;
  readonly steering: SteeringDriver;
}

/**
 * The drivers that `site`'s configuration names. Throws a sentence for its operator when the
 * deployment cannot be laid out. `notice` is told what was changed on the machine.
 */
export function spillDrivers(
  config: Config,
  site: string,
  host: Host,
  notice: (sentence: string) => void,
): SpillDrivers {
  const driver = config.sites.find((candidate) => candidate.name === site)?.spill?.driver;
  if (driver !== 'kernel') return { tunnel: noTunnel, steering: noSteering };
  const layout = spillLayout(config, site);
  return {
    tunnel: new VxlanTunnel(layout, host),
    steering: new NftSteering(layout, host, notice),
  };
}
