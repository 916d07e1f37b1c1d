/**
 * Two namespaces and a cable: a router of somebody else at one end, a speaker at the other. Both ends
 * have IPv4 and IPv6 addresses that can be used at once.
 */
import { join } from 'node:path';
import type { Namespace, NetLab } from '../netns.ts';
import type { DaemonSettings } from './daemon.ts';

export const OURS = '10.77.0.1';
export const THEIRS = '10.77.0.2';
export const OURS6 = 'fd77::1';
export const THEIRS6 = 'fd77::2';
export const OUR_AS = 65_001;
export const THEIR_AS = 65_000;
/** Names of the cable's ends. */
export const OUR_LINK = 'spk0';
export const THEIR_LINK = 'rtr0';

export interface Scene {
  readonly lab: NetLab;
  readonly router: Namespace;
  readonly speaker: Namespace;
}

/** Builds it in `lab`, which its owner closes. */
export async function layScene(lab: NetLab): Promise<Scene> {
  const [router, speaker] = [await lab.namespace('rtr'), await lab.namespace('spk')];
  for (const space of [router, speaker]) {
    // An address that is still being checked for duplicates cannot be bound.
    const off = ['accept_dad', 'dad_transmits'].map((name) => `net.ipv6.conf.default.${name}=0`);
    await space.exec('sysctl', '-q', '-w', ...off);
  }
  await lab.link(speaker, OUR_LINK, router, THEIR_LINK, `${OURS}/24`, `${THEIRS}/24`);
  await speaker.ip(`address add ${OURS6}/64 dev ${OUR_LINK} nodad`);
  await router.ip(`address add ${THEIRS6}/64 dev ${THEIR_LINK} nodad`);
  return { lab, router, speaker };
}

/** How a daemon at the router's end is set up, `changes` apart. */
export function routerSettings(
  scene: Scene,
  name: string,
  changes: Omit<Partial<DaemonSettings>, 'peer'> & { peer?: Partial<DaemonSettings['peer']> } = {},
): DaemonSettings {
  const peer = { local: THEIRS, address: OURS, as: OUR_AS, passive: true, hold_s: 9 };
  return {
    space: scene.router,
    dir: join(scene.lab.dir, name),
    as: THEIR_AS,
    id: '10.77.0.2',
    ...changes,
    peer: { ...peer, ...changes.peer },
  };
}
