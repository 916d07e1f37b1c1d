/**
 * The schema of sites/NAME.yaml: one data centre, run by one agent or several. Descriptions are the reference
 * (docs/configuration.md).
 */
import { z } from 'zod';
import {
  CHECKS_MAX,
  LABELS_MAX,
  LISTENS_MAX,
  LOAD_BALANCERS_PER_SITE_MAX,
  UPLINK_ADDRESSES_MAX,
  VIPS_MAX,
} from './limits.ts';
import { agents } from './schema-agents.ts';
import { bgpSchema } from './schema-bgp.ts';
import { load } from './schema-load.ts';
import {
  address,
  address4,
  address6,
  duration,
  filePath,
  integer,
  label,
  labelValue,
  listenAddress,
  port,
  textString,
  uriPath,
} from './values.ts';

const tls = z
  .strictObject({
    certificate: filePath().describe('PEM file with the certificate and its chain, server first.'),
    key: filePath().describe('PEM file with the private key of the certificate.'),
    listen: z
      .array(listenAddress())
      .max(LISTENS_MAX)
      .default([])
      .describe('Addresses for DNS over TLS (RFC 7858); its port is 853.'),
    https_listen: z
      .array(listenAddress())
      .max(LISTENS_MAX)
      .default([])
      .describe('Addresses for DNS over HTTPS (RFC 8484); its port is 443.'),
    https_path: uriPath().prefault('/dns-query').describe('Path of DNS over HTTPS.'),
  })
  .refine(({ listen, https_listen }) => listen.length + https_listen.length > 0, {
    error: '`tls` without an address: add `listen` (TLS), `https_listen` or both',
  });

const cookies = z.strictObject({
  secret_file: filePath()
    .optional()
    .describe('File with secrets, one a line; without it, a random one until the next start.'),
  required: z
    .boolean()
    .default(false)
    .describe('Whether a query by UDP with a cookie that is not good is answered BADCOOKIE.'),
});

const rateLimit = z.strictObject({
  responses_per_second: integer(1, 1_000_000).describe(
    'Responses alike that one client prefix is sent in a second at most.',
  ),
  slip: integer(0, 10)
    .default(2)
    .describe('Each how many-th response beyond is sent, truncated; 0: none, 1: all.'),
  prefix4: integer(8, 32).default(24).describe('Bits of an IPv4 address that tell clients apart.'),
  prefix6: integer(16, 128)
    .default(56)
    .describe('Bits of an IPv6 address that tell clients apart.'),
});

const dns = z.strictObject({
  listen: z
    .array(listenAddress())
    .min(1)
    .max(LISTENS_MAX)
    .describe('Addresses that answer DNS, by UDP and TCP.'),
  workers: integer(1, 256).default(1).describe('Threads that answer UDP.'),
  udp_payload_max: integer(512, 4096)
    .default(1232)
    .describe('Largest UDP response in bytes (RFC 6891); longer ones are truncated.'),
  tcp_clients_max: integer(1, 100_000)
    .default(1000)
    .describe('Open connections at most: TCP, TLS and HTTPS together.'),
  tcp_clients_per_address_max: integer(1, 100_000)
    .default(100)
    .describe('The same from one client: an IPv4 address, or an IPv6 /56.'),
  tcp_idle: duration(100, 600_000)
    .prefault('10s')
    .describe('An idle TCP connection is closed after this (RFC 7766).'),
  tls: tls.optional().describe('DNS over TLS and HTTPS; without it, neither.'),
  identity: textString()
    .optional()
    .describe('Name of this server for NSID (RFC 5001) and id.server; without it, not told.'),
  version: textString().optional().describe('What version.bind tells; without it, nothing.'),
  cookies: cookies.prefault({}).describe('DNS cookies (RFC 7873, RFC 9018).'),
  rate_limit: rateLimit.optional().describe('Response rate limiting by UDP; without it, none.'),
});

const api = z.strictObject({
  listen: listenAddress().describe('Address of the HTTP API, metrics and dashboard.'),
  token_file: filePath()
    .optional()
    .describe('File with the token that changing requests must carry; without it, none need one.'),
});

const labels = z
  .record(label(), labelValue())
  .refine((all) => Object.keys(all).length <= LABELS_MAX, {
    error: `too many labels: write at most ${LABELS_MAX}`,
  })
  .default({});

const loadBalancer = z.strictObject({
  name: label().describe('Name of the load balancer, unique in the deployment.'),
  address: address4().optional().describe('Its IPv4 address, answered in A records.'),
  address6: address6().optional().describe('Its IPv6 address, answered in AAAA records.'),
  probe_address: address4()
    .optional()
    .describe('IPv4 address that is probed, if another than the one that is answered.'),
  probe_address6: address6().optional().describe('The same for IPv6.'),
  probe_ports: z
    .record(label(), port())
    .refine((ports) => Object.keys(ports).length <= CHECKS_MAX, {
      error: `too many ports: write at most ${CHECKS_MAX}`,
    })
    .default({})
    .describe('Ports that are probed in place of those of the checks, by name of the check.'),
  labels: labels.describe('Labels that operators may refer to; they win over those of the site.'),
});

const spill = z.strictObject({
  address: address().describe('Tunnel end of this site, reachable from the other sites.'),
  driver: z
    .enum(['kernel', 'none'])
    .default('kernel')
    .describe('`kernel`: vxlan and nftables, needs root; `none`: the plan is only published.'),
  path_mtu: integer(1280, 65_535)
    .default(1500)
    .describe('Largest packet between sites in bytes, tunnel headers included.'),
  vxlan_port: port().default(4789).describe('UDP port of the tunnels (RFC 7348).'),
});

const uplink = z
  .strictObject({
    check: label().describe('Check that is made at the addresses, by this site only.'),
    addresses: z
      .array(address())
      .min(1)
      .max(UPLINK_ADDRESSES_MAX)
      .describe('Addresses outside of the deployment that the site reaches only by its uplink.'),
    at_least: integer(1, UPLINK_ADDRESSES_MAX)
      .default(1)
      .describe('How many of them must pass for the uplink to work.'),
  })
  .refine(({ addresses, at_least }) => at_least <= addresses.length, {
    error: '`at_least` is more than there are addresses: write a lower number, or more addresses',
  });

export const siteSchema = z.strictObject({
  site: label().describe('Name of the site; the file is called sites/NAME.yaml.'),
  dns: dns.describe('The DNS server of the site.'),
  api: api.describe('The HTTP API of the site.'),
  agents: agents
    .optional()
    .describe(
      'Agents of the site by name, side by side; without it, one with the name of the site.',
    ),
  load_balancers: z
    .array(loadBalancer)
    .max(LOAD_BALANCERS_PER_SITE_MAX)
    .default([])
    .describe('Load balancers of the site, for the pools of services.'),
  labels: labels.describe('Labels of the site, which its load balancers have as well.'),
  uplink: uplink
    .optional()
    .describe('What shows that the site reaches the world; without it, nothing is known of that.'),
  announce: z.array(label()).max(VIPS_MAX).default([]).describe('VIPs that the site announces.'),
  capacity: z
    .number()
    .positive()
    .optional()
    .describe('Load that is wanted at most in normal life, in the unit of `load`.'),
  load: load
    .optional()
    .describe(
      'How the load of the site is read; needs `capacity`. Of several, the highest ratio counts. Without it: no spilling.',
    ),
  spill: spill.optional().describe('How flows are handed to other sites; without it: never.'),
  state_dir: filePath()
    .optional()
    .describe('Directory where the agent keeps what must outlive it, such as overrides.'),
  fence: z
    .boolean()
    .default(false)
    .describe('Withdraw all VIPs while neither `uplink` works nor any other site is heard.'),
  bgp: bgpSchema.optional().describe('The BGP speaker; without it the site announces nothing.'),
});

export type SiteFile = z.output<typeof siteSchema>;
