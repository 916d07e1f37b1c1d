/** `isobar bgp why`: looks at what the host knows about one neighbour, and names the likely mistakes. */
import type { Evidence, EvidenceSource } from './evidence.ts';
import { lacksKey } from './neighbor-settings.ts';
import type { PeerStatus } from './peer-record.ts';
import type { PeerSettings } from './peer-settings.ts';
import { diagnose, type Finding, whyText } from './why.ts';

export interface Explanation {
  readonly findings: readonly Finding[];
  readonly evidence: Evidence;
  /** All of it for people, in lines. */
  readonly text: string;
}

/** `listening`: neighbours can connect to us. Takes a second at most, and never rejects. */
export async function investigate(
  source: EvidenceSource,
  settings: PeerSettings,
  status: PeerStatus,
  listening: boolean,
): Promise<Explanation> {
  // A neighbour that we do not dial may not be there to be asked.
  const ask = status.state !== 'Established' && !settings.passive;
  const evidence = await source.collect(settings.name, settings, ask);
  const key_missing = lacksKey(settings);
  const asked = { ...settings, as: settings.remote_as, listening, key_missing };
  const findings = diagnose(status, evidence, asked, status.bfd);
  return { findings, evidence, text: whyText(settings.name, status, findings) };
}
