/**
 * The schema of `agents` in sites/NAME.yaml: of each agent what differs from what the site says, above
 * all its addresses.
 */
import { z } from 'zod';
import { SITE_AGENTS_MAX } from '../share/union.ts';
import { LISTENS_MAX } from './limits.ts';
import {
  address4,
  address6,
  filePath,
  label,
  listenAddress,
  routerId,
  textString,
} from './values.ts';

const listens = () => z.array(listenAddress()).max(LISTENS_MAX).optional();

const dns = z.strictObject({
  listen: listens().describe('Addresses that answer DNS at this agent.'),
  tls_listen: listens().describe('The same for DNS over TLS, in place of `dns.tls.listen`.'),
  https_listen: listens().describe('The same for DNS over HTTPS.'),
  identity: textString().optional().describe('Name of this server for NSID and id.server.'),
});

const bgp = z.strictObject({
  router_id: routerId().optional().describe('BGP identifier of this agent: each has its own.'),
  listen: z
    .array(listenAddress())
    .max(LISTENS_MAX)
    .optional()
    .describe('Where neighbours connect to this agent.'),
  next_hop: address4().optional().describe('Next hop of IPv4 routes of this agent.'),
  next_hop6: address6().optional().describe('The same of IPv6 routes.'),
  source: address4().optional().describe('Address to dial all IPv4 neighbours from.'),
  source6: address6().optional().describe('The same for IPv6 neighbours.'),
  neighbors: z
    .array(label())
    .optional()
    .describe('Names of the neighbours that this agent speaks to; without it, all.'),
});

const agent = z.strictObject({
  dns: dns.optional().describe('What differs in `dns`.'),
  api: z
    .strictObject({ listen: listenAddress().describe('Address of the API of this agent.') })
    .optional()
    .describe('What differs in `api`; each agent has an address of its own.'),
  bgp: bgp.optional().describe('What differs in `bgp`.'),
  state_dir: filePath().optional().describe('Directory of this agent, in place of `state_dir`.'),
});

export const agents = z
  .record(label(), agent)
  .refine((all) => Object.keys(all).length > 0, { error: 'no agent: name one, or remove `agents`' })
  .refine((all) => Object.keys(all).length <= SITE_AGENTS_MAX, {
    error: `more than ${SITE_AGENTS_MAX} agents: remove some`,
  });

export type AgentFile = z.output<typeof agent>;
