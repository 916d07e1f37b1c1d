/** Zone files on isobar, as an operator would have them; and the same files on Knot and NSD. */
import { loadConfig } from '../../src/config/load.ts';
import type { DnsListen } from '../../src/model/config.ts';
import type { HostPort } from '../../src/net/ip.ts';
import { TempDeployment } from './deployment.ts';
import type { CorpusZone } from './dns-corpus.ts';
import { ownAddress, PEER_PAYLOAD, startKnot, startNsd } from './dns-peers.ts';
import { startServer } from './dns-server.ts';

export interface Served {
  readonly addresses: readonly HostPort[];
  /** The deployment's directory: the zone files are in its `zones/`. */
  readonly dir: string;
  stop(): Promise<void>;
}

/** isobar with `zones` beside, or instead of, the demo's zone with its health-aware names. */
export async function serveZones(
  zones: readonly CorpusZone[],
  dns: Partial<DnsListen>,
): Promise<Served> {
  const deployment = await TempDeployment.create();
  try {
    for (const { origin, text } of zones) await deployment.write(`zones/${origin}.zone`, text);
    const loaded = await loadConfig(deployment.dir);
    if (!loaded.ok) {
      const told = loaded.error.map(({ file, line, message }) => `${file}:${line}: ${message}`);
      throw new Error(`isobar refuses the zones:\n${told.join('\n')}`);
    }
    const server = await startServer({ config: loaded.value, dns: { rate_limit: null, ...dns } });
    const stop = async (): Promise<void> => {
      await server.stop();
      await deployment.destroy();
    };
    return { addresses: server.addresses, dir: deployment.dir, stop };
  } catch (error) {
    await deployment.destroy();
    throw error;
  }
}

export interface Trio {
  readonly isobar: HostPort;
  readonly knot: HostPort;
  readonly nsd: HostPort;
  stop(): Promise<void>;
}

/** All three over the same zone files, on one address and three ports. */
export async function startTrio(zones: readonly CorpusZone[]): Promise<Trio> {
  const address = ownAddress();
  const listen = [{ address, port: 5300 }];
  const isobar = await serveZones(zones, { listen, udp_payload_max: PEER_PAYLOAD });
  const stops = [isobar.stop];
  const stop = async (): Promise<void> => {
    for (const each of stops.splice(0).reverse()) await each();
  };
  try {
    const { dir } = isobar;
    const origins = zones.map(({ origin }) => origin);
    const knot = await startKnot({ dir, origins, at: { address, port: 5301 } });
    stops.push(knot.stop);
    const nsd = await startNsd({ dir, origins, at: { address, port: 5302 } });
    stops.push(nsd.stop);
    return { isobar: isobar.addresses[0]!, knot: knot.at, nsd: nsd.at, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
