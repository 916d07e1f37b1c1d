/**
 * The search tree of a MaxMind database (format 2.0), for walking it once. mmdb-lib reads the
 * metadata and decodes the data; only the tree's records are read here. A broken file gives an
 * error value: nothing in it may throw past this file or make a walk endless.
 */
import { createRequire } from 'node:module';
import type * as Maxmind from 'maxmind';
import { err, ok, type Result } from '../base/result.ts';

export interface SearchTree {
  /** Records below this are nodes, equal to it empty, above it pointers to data. */
  readonly nodeCount: number;
  /** The record at which the IPv4 and the IPv6 address space begin. */
  readonly root4: number;
  readonly root6: number;
  /** The child record of `node` for the next address bit. */
  child(node: number, bit: 0 | 1): number;
  /** The country data of an address in the tree; null if there is none. Throws if it is broken. */
  country(address: string): Maxmind.CountryResponse | null;
}

/** Stands in where no database is configured: everything is empty. */
export const EMPTY_TREE: SearchTree = {
  nodeCount: 0,
  root4: 0,
  root6: 0,
  child: () => 0,
  country: () => null,
};

function recordReader(tree: Uint8Array, bits: number): SearchTree['child'] | null {
  if (bits === 24) {
    return (node, bit) => {
      const at = node * 6 + bit * 3;
      return (tree[at]! << 16) | (tree[at + 1]! << 8) | tree[at + 2]!;
    };
  }
  if (bits === 28) {
    return (node, bit) => {
      const at = node * 7;
      const middle = tree[at + 3]!;
      const top = bit === 0 ? middle >>> 4 : middle & 0x0f;
      const from = at + bit * 4;
      return (top << 24) | (tree[from]! << 16) | (tree[from + 1]! << 8) | tree[from + 2]!;
    };
  }
  if (bits === 32) {
    const view = new DataView(tree.buffer, tree.byteOffset, tree.byteLength);
    return (node, bit) => view.getUint32(node * 8 + bit * 4);
  }
  return null;
}

/** Loaded by the first database only: most of the time it takes is of no use where there is none. */
const maxmind = (): typeof Maxmind => createRequire(import.meta.url)('maxmind') as typeof Maxmind;

/** Opens a database; the error says in words what is wrong with the file. */
export function openTree(bytes: Uint8Array): Result<SearchTree, string> {
  let reader: Maxmind.Reader<Maxmind.CountryResponse>;
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    reader = new (maxmind().Reader)<Maxmind.CountryResponse>(file);
  } catch (error) {
    return err(`not a MaxMind database: ${(error as Error).message}`);
  }
  const { nodeCount, recordSize, ipVersion, searchTreeSize } = reader.metadata;
  const child = recordReader(file, recordSize);
  if (!child) return err(`a record size of ${recordSize} bits (24, 28 and 32 are known)`);
  if (!(nodeCount > 0) || searchTreeSize > file.length || (ipVersion !== 4 && ipVersion !== 6)) {
    return err('its search tree is cut short or its metadata is wrong');
  }
  let root4 = 0;
  // In an IPv6 tree the IPv4 addresses lie in ::/96.
  for (let i = 0; ipVersion === 6 && i < 96 && root4 < nodeCount; i++) root4 = child(root4, 0);
  return ok({
    nodeCount,
    root4,
    root6: ipVersion === 6 ? 0 : nodeCount,
    child,
    country: (address) => reader.get(address),
  });
}
