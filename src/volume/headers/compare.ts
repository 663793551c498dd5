import { uuidOf } from '../../luks/header/findings.ts';
import { layoutOf } from '../../luks/header/header-areas.ts';
import { type BrokenCopy, isWhole, type Luks2Copy, type Luks2Metadata } from '../../luks/header/luks2-copy.ts';
import { type Header, readHeader } from '../../luks/header/read-header.ts';
import { digestArea } from './header-area.ts';
import { slotsBeside, slotsOf } from './slots.ts';

/** One header copy in words. LUKS1 has one, without sequence. */
export interface CopyState {
  readonly place: 'primary' | 'secondary';
  /** Counts the writes; null where it cannot be read. */
  readonly sequence: string | null;
  /** Null for a whole one. */
  readonly problem: string | null;
}

export interface HeaderState {
  readonly type: 'luks1' | 'luks2' | null;
  readonly uuid: string | null;
  readonly copies: readonly CopyState[];
}

export interface Comparison {
  /** Every byte of header and key material is the same. */
  readonly same: boolean;
  readonly container: HeaderState;
  readonly backup: HeaderState;
  readonly keyslots: {
    readonly both: readonly number[];
    readonly containerOnly: readonly number[];
    readonly backupOnly: readonly number[];
  };
  /** In words, the gravest first; empty when `same`. */
  readonly differences: readonly string[];
}

const copyState = (copy: Luks2Copy | BrokenCopy): CopyState =>
  isWhole(copy)
    ? { place: copy.place, sequence: copy.sequence, problem: null }
    : { place: copy.place, sequence: null, problem: copy.problem };

export const stateOf = (header: Header): HeaderState => {
  if (header.type === 'luks1') {
    const copies = [{ place: 'primary', sequence: null, problem: null } as const];
    return { type: 'luks1', uuid: header.luks1.uuid, copies };
  }
  if (header.type === 'luks2') {
    const copies = [copyState(header.primary), copyState(header.secondary)];
    return { type: 'luks2', uuid: header.current.uuid, copies };
  }
  const problem = header.type === 'damaged' ? header.problem : 'no header';
  return { type: null, uuid: null, copies: [{ place: 'primary', sequence: null, problem }] };
};

const list = (slots: readonly number[]): string => `keyslot${slots.length === 1 ? '' : 's'} ${slots.join(', ')}`;

/** Parts of the metadata that say something else. */
const metadataDifferences = (container: Luks2Metadata, backup: Luks2Metadata): string[] =>
  (['segments', 'digests', 'tokens', 'config'] as const)
    .filter((part) => JSON.stringify(container[part]) !== JSON.stringify(backup[part]))
    .map((part) => `other ${part} in the backup`);

/** Compares the header in `container` with the one in `backup`. Throws `not-found`. */
export const compareHeaders = async (container: string, backup: string): Promise<Comparison> => {
  const [mine, other] = await Promise.all([readHeader(container), readHeader(backup)]);
  const states = { container: stateOf(mine), backup: stateOf(other) };
  const none = { both: [], containerOnly: [], backupOnly: [] };
  if (mine.type === 'none' || mine.type === 'damaged') {
    return { same: false, ...states, keyslots: none, differences: ['the header of the container cannot be read'] };
  }
  if (other.type === 'none' || other.type === 'damaged') {
    return { same: false, ...states, keyslots: none, differences: ['the backup cannot be read'] };
  }
  const [slots, others] = [slotsOf(mine), slotsOf(other)];
  const containerOnly = slotsBeside(slots, others);
  const backupOnly = slotsBeside(others, slots);
  const both = slots.map(({ slot }) => slot).filter((slot) => !containerOnly.includes(slot));
  const differences: string[] = [];
  if (uuidOf(mine) !== uuidOf(other)) differences.push(`the backup is of another container, ${uuidOf(other)}`);
  if (mine.type !== other.type) differences.push(`${other.type} in the backup, ${mine.type} in the container`);
  for (const { where, state } of [
    { where: 'container', state: states.container },
    { where: 'backup', state: states.backup },
  ]) {
    for (const { place, problem } of state.copies) {
      if (problem !== null) differences.push(`${place} header of the ${where}: ${problem}`);
    }
  }
  if (backupOnly.length > 0) differences.push(`${list(backupOnly)} in the backup only: a restore brings that key back`);
  if (containerOnly.length > 0)
    differences.push(`${list(containerOnly)} in the container only: a restore takes that key away`);
  if (mine.type === 'luks2' && other.type === 'luks2') {
    const [now, then] = [mine.current.sequence, other.current.sequence];
    if (now !== then) differences.push(`the container is at write ${now}, the backup at ${then}`);
    differences.push(...metadataDifferences(mine.current.metadata, other.current.metadata));
  }
  const bytes = Math.min(layoutOf(mine).headerBytes, other.size);
  const digests = await Promise.all([digestArea(container, bytes), digestArea(backup, bytes)]);
  const same = layoutOf(mine).headerBytes === other.size && digests[0] === digests[1];
  if (!same && differences.length === 0) differences.push('the same metadata over other bytes of key material');
  return { same, ...states, keyslots: { both, containerOnly, backupOnly }, differences };
};
