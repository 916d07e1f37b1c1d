/**
 * The neighbours and ranges of a site with the keys of their groups: what a neighbour says itself
 * holds before what its group says, key by key also within `bfd`, `receive` and `announce`. A list
 * replaces a list. Where a value comes from stays known, for the place of a mistake.
 */
import type { Path } from './document.ts';
import type { YamlFile } from './parse.ts';
import type { BgpFile, GroupFile, NeighborFile, RangeFile } from './schema-bgp.ts';
import type { SiteFile } from './schema-site.ts';

/** Keys of a session, of which some hold only for neighbours that may be dialled. */
export type Merged = GroupFile;

type Bfd = NonNullable<GroupFile['bfd']>;
type Announce = NonNullable<GroupFile['announce']>;

function joined<Part extends object>(
  outer: Part | undefined,
  inner: Part | undefined,
): Part | undefined {
  return outer && inner ? { ...outer, ...inner } : (inner ?? outer);
}

/** A neighbour's own `interval` means both ways, whatever the group says of one of them. */
function joinedBfd(outer: Bfd | undefined, inner: Bfd | undefined): Bfd | undefined {
  if (!outer || inner?.interval === undefined) return joined(outer, inner);
  const { transmit: _, receive: __, ...rest } = outer;
  return { ...rest, ...inner };
}

function joinedAnnounce(outer: Announce | undefined, inner: Announce | undefined) {
  if (!outer || !inner) return inner ?? outer;
  const by_fitness = joined(outer.by_fitness, inner.by_fitness);
  const by_vip = joined(outer.by_vip, inner.by_vip);
  return { ...outer, ...inner, by_fitness, by_vip };
}

function merged(group: GroupFile | undefined, own: GroupFile): Merged {
  if (!group) return own;
  return {
    ...group,
    ...own,
    bfd: joinedBfd(group.bfd, own.bfd),
    receive: joined(group.receive, own.receive),
    announce: joinedAnnounce(group.announce, own.announce),
  };
}

export interface Session<Own> {
  readonly own: Own;
  /** With the group's keys; no defaults yet. */
  readonly keys: Merged;
  /** Of the neighbour or range in the file. */
  readonly path: Path;
}

const groupOf = ({ groups }: BgpFile, name: string | undefined): GroupFile | undefined =>
  name !== undefined && Object.hasOwn(groups, name) ? groups[name] : undefined;

export function neighborsOf(bgp: BgpFile): Session<NeighborFile>[] {
  return bgp.neighbors.map((own, i) => {
    const { name: _, group, address: __, ...keys } = own;
    return { own, keys: merged(groupOf(bgp, group), keys), path: ['bgp', 'neighbors', i] };
  });
}

export function rangesOf(bgp: BgpFile): Session<RangeFile>[] {
  return bgp.ranges.map((own, i) => {
    const { name: _, group, prefix: __, sessions_max: ___, ...keys } = own;
    return { own, keys: merged(groupOf(bgp, group), keys), path: ['bgp', 'ranges', i] };
  });
}

/** Every mapping with the keys of sessions as the file has it, groups first, and where it is. */
export function partsOf(bgp: BgpFile): { readonly keys: GroupFile; readonly path: Path }[] {
  const list = (name: string, all: readonly GroupFile[]) =>
    all.map((keys, i) => ({ keys, path: ['bgp', name, i] }));
  const groups = Object.entries(bgp.groups).map(([name, keys]) => {
    return { keys, path: ['bgp', 'groups', name] };
  });
  return [...groups, ...list('neighbors', bgp.neighbors), ...list('ranges', bgp.ranges)];
}

/** The files with keys that the sessions of a site need, as they are written. */
export function keyFilesOf(bgp: BgpFile): { readonly name: string; readonly path: Path }[] {
  return partsOf(bgp).flatMap(({ keys, path }) => {
    const { md5_key_file: md5, bfd } = keys;
    return [
      ...(md5 === undefined ? [] : [{ name: md5, path: [...path, 'md5_key_file'] }]),
      ...(bfd?.auth
        ? [{ name: bfd.auth.key_file, path: [...path, 'bfd', 'auth', 'key_file'] }]
        : []),
    ];
  });
}

/** Where the value of a key is written: at the neighbour, else in its group, else the neighbour. */
export function placeOf(
  { source }: YamlFile<SiteFile>,
  session: Session<NeighborFile | RangeFile>,
  ...key: Path
): Path {
  const own = [...session.path, ...key];
  if (source.has(own)) return own;
  const inGroup = ['bgp', 'groups', session.own.group ?? '', ...key];
  return source.has(inGroup) ? inGroup : session.path;
}
