/** Checks one reel of a volume at one level. Reads only; blocks its thread. */

import type { KeyObject } from 'node:crypto';
import { closeSync, constants, fstatSync } from 'node:fs';
import { indexSlotBytes } from '../../native.ts';
import { readFileAt } from '../evidence/read-file.ts';
import type { EvidenceStatement } from '../evidence/signature.ts';
import { largestIndex, recordSlots } from '../index-slots.ts';
import { hourOf, indexPath, reelPath, signaturePath } from '../reel.ts';
import { type VolumeFiles, whenMissing } from '../volume-files.ts';
import { type CheckLevel, type Finding, finding } from './findings.ts';
import type { Pace } from './pace.ts';
import { type IndexLook, lookAtBytes, lookAtIndex, lookAtSignature, type ReelFiles } from './reel-content.ts';

/** What costs about as much as reading so many bytes: opening and closing three files. */
const openingBytes = 16 * 1024;
const namesBytes = 2 * 1024;

export interface ReelCheckParams {
  readonly files: VolumeFiles;
  readonly stream: string;
  readonly hour: number;
  readonly level: CheckLevel;
  readonly pace: Pace;
  readonly keys: ReadonlyMap<string, KeyObject>;
  /** A writer has the stream: the start of the newest acknowledged segment. */
  readonly limitUs: number | undefined;
  /** The reel is marked as being written, and no writer has it. */
  readonly unrecovered: boolean;
}

export interface ReelLook {
  readonly findings: readonly Finding[];
  readonly statement?: EvidenceStatement | undefined;
  /** The signature file, where there is one. */
  readonly signature?: Buffer | undefined;
}

export const pathsOf = (stream: string, hour: number): ReelFiles => ({
  reel: reelPath(stream, hour),
  index: indexPath(stream, hour),
  signature: signaturePath(stream, hour),
});

/** The reel of `hour` or a later one is being written: only reels before it are closed for certain. */
const isOpen = (hour: number, limitUs: number | undefined): boolean => limitUs !== undefined && hour >= hourOf(limitUs);

/** Names and sizes. */
const lookAtNames = ({ files, limitUs, hour, unrecovered }: ReelCheckParams, paths: ReelFiles): Finding[] => {
  const reel = files.stat(paths.reel);
  const index = files.stat(paths.index);
  if (reel === null && index === null)
    return files.stat(paths.signature) === null
      ? []
      : [finding('signature-alone', paths.signature, 'a signature without its reel')];
  if (isOpen(hour, limitUs) || unrecovered) return [];
  if (index === null) return [finding('index-missing', paths.index, 'no index beside the reel')];
  const slots = recordSlots(index.size);
  if (reel === null) return [finding('reel-missing', paths.reel, `no reel beside an index of ${slots} segments`)];
  const found: Finding[] = [];
  if (index.size < indexSlotBytes || index.size % indexSlotBytes !== 0 || index.size > largestIndex)
    found.push(finding('index-size', paths.index, `${index.size} bytes are no header and whole records`));
  else if (reel.size < slots) found.push(finding('reel-short', paths.reel, `${reel.size} bytes for ${slots} segments`));
  else if (slots === 0 && reel.size > 0)
    found.push(finding('reel-long', paths.reel, `${reel.size} bytes behind the last record`));
  return found;
};

const signatureFindings = (
  params: ReelCheckParams,
  paths: ReelFiles,
  index: IndexLook,
  signature: Buffer | undefined,
): ReelLook => {
  const { stream, hour, keys, limitUs, unrecovered } = params;
  const closed = !isOpen(hour, limitUs) && !unrecovered;
  const slots = recordSlots(index.bytes.length);
  if (signature === undefined) {
    const wanted = closed && index.evidence && slots > 0;
    const what = 'recorded with evidence and not signed yet';
    return { findings: wanted ? [finding('signature-missing', paths.signature, what)] : [] };
  }
  const look = lookAtSignature({ files: paths, bytes: signature, index, keys, place: { stream, hour } });
  const found = [...look.findings];
  if (closed && look.statement !== undefined && found.length === 0 && slots > look.statement.records)
    found.push(
      finding(
        'signature-missing',
        paths.signature,
        `${slots - look.statement.records} of ${slots} segments are not signed yet`,
      ),
    );
  return { findings: found, statement: look.statement, signature };
};

export const checkReel = (params: ReelCheckParams): ReelLook => {
  const { files, stream, hour, level, pace, limitUs, unrecovered } = params;
  const paths = pathsOf(stream, hour);
  pace.spend(level === 'names' ? namesBytes : openingBytes);
  const names = lookAtNames(params, paths);
  if (unrecovered) names.push(finding('unrecovered', paths.reel, 'its writer did not close it'));
  if (level === 'names') return { findings: names };
  const signature = readFileAt(files, paths.signature, 4096);
  const bytes = readFileAt(files, paths.index, largestIndex);
  if (bytes === undefined || files.stat(paths.index) === null) {
    const look =
      signature === undefined
        ? { findings: [], statement: undefined }
        : lookAtSignature({
            files: paths,
            bytes: signature,
            index: undefined,
            keys: params.keys,
            place: { stream, hour },
          });
    return { findings: [...names, ...look.findings], statement: look.statement, signature };
  }
  pace.spend(bytes.length);
  const fd = whenMissing(() => files.open(paths.reel, constants.O_RDONLY), -1);
  try {
    const open = isOpen(hour, limitUs) ? limitUs : unrecovered ? Number.POSITIVE_INFINITY : undefined;
    // Without its reel that is what is wrong, and not that the index names bytes of it.
    const reelBytes = fd < 0 ? Number.MAX_SAFE_INTEGER : fstatSync(fd).size;
    const index = lookAtIndex({ files: paths, bytes, reelBytes, hour, limitUs: open });
    const content = fd < 0 ? index.findings.filter(({ code }) => code !== 'reel-long') : index.findings;
    const sums = level === 'bytes' && fd >= 0 ? lookAtBytes(fd, index.records, paths, pace).findings : [];
    const signed = signatureFindings(params, paths, index, signature);
    // What the names said of sizes the content says better.
    const kept = names.filter(({ code }) => !['index-size', 'reel-short', 'reel-long'].includes(code));
    return { ...signed, findings: [...kept, ...content, ...sums, ...signed.findings] };
  } finally {
    if (fd >= 0) closeSync(fd);
  }
};
