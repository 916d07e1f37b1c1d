/**
 * The two seams of the spill data plane. A *tunnel* driver makes a device to each peer site; a
 * *steering* driver sends a share of new flows into them and remembers which flow went where.
 * Everything is desired state: applying the same twice changes nothing, and a restarted agent
 * takes over what stands without touching a flow.
 */

export interface SpillPeer {
  /** The other site's name. */
  readonly site: string;
  /** Address of its tunnel end. */
  readonly address: string;
}

export interface TunnelDriver {
  readonly kind: string;
  /** Makes the devices for exactly these peers; returns peer site → device name. */
  ensure(peers: readonly SpillPeer[]): Promise<ReadonlyMap<string, string>>;
  /** Removes every device that this driver made. */
  remove(): Promise<void>;
}

/** Flows of the VIPs seen since the driver started; they only grow. */
export interface FlowCounts {
  /** New flows of own clients that stayed here. */
  readonly kept: number;
  /** Peer site → new flows of own clients sent there. */
  readonly sent: Readonly<Record<string, number>>;
  /** Peer site → new flows of its clients that came here. */
  readonly guests: Readonly<Record<string, number>>;
}

export interface SteeringDriver {
  readonly kind: string;
  /**
   * Makes `shares` (peer site → part of own new flows, 0–1) hold for new flows, until `lease_ms`
   * from now unless renewed. Established flows stay where they are. Rejects with a plain sentence
   * when the kernel refuses; what stood before then still stands.
   */
  apply(shares: Readonly<Record<string, number>>, lease_ms: number): Promise<void>;
  counts(): Promise<FlowCounts>;
  /** Ends steering: share 0 now, state removed. */
  close(): Promise<void>;
}
