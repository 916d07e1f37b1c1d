/** BFD packets as fast-check makes them. */
import fc from 'fast-check';
import type { BfdPacket } from '../../../src/bgp/bfd/packet.ts';

const u32 = fc.nat(0xffffffff);
const discriminator = fc.integer({ min: 1, max: 0xffffffff });

/** Packets that a session of ours may take: none that §6.8.6 discards. */
export const packets: fc.Arbitrary<BfdPacket> = fc.record(
  {
    diagnostic: fc.nat(31),
    state: fc.constantFrom('admin-down', 'down', 'init', 'up'),
    poll: fc.boolean(),
    final: fc.boolean(),
    control_plane_independent: fc.boolean(),
    demand: fc.boolean(),
    multiplier: fc.integer({ min: 1, max: 255 }),
    my_discriminator: discriminator,
    your_discriminator: discriminator,
    desired_tx_us: u32,
    required_rx_us: u32,
    required_echo_rx_us: u32,
  },
  { noNullPrototype: true },
);
