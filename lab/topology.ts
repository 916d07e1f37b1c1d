/**
 * The lab's world. Per site: a machine (agent, load balancer, the VIP on lo), a router (BIRD) and
 * its clients. The routers meet on a core network, one AS with a full mesh, so that each region's
 * clients reach the VIP at their own site while it is announced there, and elsewhere when it is
 * not. The sites meet on a backbone, which carries tunnels and Redis.
 *
 *     clients — router —— site        10.1.n.0/24   10.2.n.0/24
 *                  |        |
 *             core 10.3.0   backbone 10.9.0 (Redis)
 */
import type { ChildProcess } from 'node:child_process';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Bird } from './bird.ts';
import {
  plan,
  REDIS,
  ROUTER_AS,
  SITES,
  type SiteName,
  VIP,
  WEB_PORT,
  writeDeployment,
} from './deployment.ts';
import type { Namespace, NetLab } from './netns.ts';
import { onLine, until } from './wait.ts';

const here = dirname(fileURLToPath(import.meta.url));
const agentScript = join(here, '..', 'src', 'cli', 'main.js');
const START_LIMIT_MS = 15_000;

/** A site's place in the network, with its router running. */
interface SiteNetwork {
  readonly name: SiteName;
  readonly space: Namespace;
  readonly router: Namespace;
  readonly clients: Namespace;
  readonly bird: Bird;
}

export interface LabSite extends SiteNetwork {
  readonly agent: ChildProcess;
  readonly backend: ChildProcess;
}

export interface World {
  readonly sites: Record<SiteName, LabSite>;
  readonly configDir: string;
}

/** A lab program of this folder, in `space`. */
export function labProgram(space: Namespace, program: string, ...args: string[]): ChildProcess {
  const child = space.spawn(process.execPath, join(here, `${program}.js`), ...args);
  child.stderr?.on('data', (text) => process.stderr.write(`${program} ${space.name}: ${text}`));
  return child;
}

export async function startBackend(space: Namespace, site: SiteName): Promise<ChildProcess> {
  const child = labProgram(space, 'backend', site, String(WEB_PORT));
  let listening = false;
  onLine(child, () => {
    listening = true;
  });
  await until(`the load balancer of ${site}`, START_LIMIT_MS, () => listening);
  return child;
}

/** One site's agent, as in production. Its log goes to standard error when LAB_LOG is set. */
export function startAgent(space: Namespace, site: SiteName, configDir: string): ChildProcess {
  const args = [agentScript, 'run', '--config', configDir, '--site', site];
  const child = space.spawn(process.execPath, ...args);
  const tail: string[] = [];
  const keep = (text: string): void => {
    if (process.env.LAB_LOG) process.stderr.write(text);
    tail.push(text);
    if (tail.length > 20) tail.shift();
  };
  child.stdout?.setEncoding('utf8').on('data', keep);
  child.stderr?.setEncoding('utf8').on('data', keep);
  child.once('exit', (code) => {
    if (code) process.stderr.write(`agent ${site} ended with ${code}:\n${tail.join('')}\n`);
  });
  return child;
}

/** Builds the networks and starts Redis, BIRD, the load balancers and the agents. */
export async function buildWorld(lab: NetLab, capacity: number): Promise<World> {
  const configDir = join(lab.dir, 'config');
  writeDeployment(configDir, capacity);
  const hub = await lab.namespace('hub');
  for (const bridge of ['core', 'backbone']) {
    await hub.ip(`link add ${bridge} type bridge`);
    await hub.ip(`link set dev ${bridge} up`);
  }
  await hub.ip(`address add ${REDIS}/24 dev backbone`);
  hub.spawn(
    'redis-server',
    ...['--bind', REDIS, '--save', '', '--protected-mode', 'no', '--dir', lab.dir],
  );
  const networks: SiteNetwork[] = [];
  for (const name of SITES) networks.push(await buildSite(lab, hub, name));
  const started = await Promise.all(networks.map((network) => startSite(network, configDir)));
  const [fra, iad, sin] = started as [LabSite, LabSite, LabSite];
  await Promise.all(started.map(announced));
  return { sites: { fra, iad, sin }, configDir };
}

/** Starts what a site runs: first the load balancer, then the agent. */
export async function startSite(network: SiteNetwork, configDir: string): Promise<LabSite> {
  const backend = await startBackend(network.space, network.name);
  return { ...network, backend, agent: startAgent(network.space, network.name, configDir) };
}

/** Waits until the site's own router forwards the VIP to it. */
export async function announced({ name, router, bird, agent }: LabSite): Promise<void> {
  const session = async (): Promise<boolean> => {
    if (agent.exitCode !== null) throw new Error(`the agent of ${name} did not start`);
    return bird.established('site');
  };
  await until(`${name}'s BGP session`, START_LIMIT_MS, session, 100);
  await until(`${name}'s route in its router`, START_LIMIT_MS, async () => {
    const route = await router.ip(`route show ${VIP}`);
    return route.includes(`via ${plan.site(name)} `);
  });
}

async function buildSite(lab: NetLab, hub: Namespace, name: SiteName): Promise<SiteNetwork> {
  const space = await lab.namespace(name);
  const router = await lab.namespace(`r-${name}`);
  const clients = await lab.namespace(`c-${name}`);
  const wide = (address: string): string => `${address}/24`;
  await lab.link(
    clients,
    'wan',
    router,
    'clients',
    wide(plan.client(name)),
    wide(plan.clientGateway(name)),
  );
  await lab.link(space, 'wan', router, 'site', wide(plan.site(name)), wide(plan.siteGateway(name)));
  await lab.link(router, 'core', hub, `c-${name}`, wide(plan.core(name)));
  await lab.link(space, 'backbone', hub, `b-${name}`, wide(plan.backbone(name)));
  await hub.ip(`link set dev c-${name} master core`);
  await hub.ip(`link set dev b-${name} master backbone`);
  await clients.ip(`route add default via ${plan.clientGateway(name)}`);
  await space.ip(`route add default via ${plan.siteGateway(name)}`);
  await space.ip(`address add ${VIP}/32 dev lo`);
  await router.host().write('/proc/sys/net/ipv4/ip_forward', '1');
  for (const other of SITES.filter((site) => site !== name)) {
    for (const host of [plan.client(other), plan.site(other)]) {
      await router.ip(`route add ${host}/32 via ${plan.core(other)}`);
    }
  }
  return { name, space, router, clients, bird: startRouter(router, name, join(lab.dir, 'bird')) };
}

function startRouter(router: Namespace, name: SiteName, dir: string): Bird {
  const mesh = SITES.filter((other) => other !== name).map((other) => ({
    name: `mesh_${other}`,
    local: plan.core(name),
    address: plan.core(other),
    as: ROUTER_AS,
    passive: false,
  }));
  const site = {
    name: 'site',
    local: plan.siteGateway(name),
    address: plan.site(name),
    as: plan.as(name),
    passive: true,
  };
  return Bird.start(router, dir, {
    id: plan.core(name),
    as: ROUTER_AS,
    neighbors: [site, ...mesh],
  });
}
