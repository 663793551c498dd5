import { Type } from 'typebox';
import { container, minute, name, none, strict } from './parts.ts';
import { largestVolume, sizeUnit, smallestVolume, type VolumeReport } from './volume.ts';

export const growVerbs = {
  /** Makes container, device and filesystem larger, in use or locked, without a key. Idempotent: goes on where it was interrupted. */
  grow: {
    schema: Type.Object(
      {
        ...{ verb: Type.Literal('grow'), name, container },
        uuid: Type.Optional(Type.String({ maxLength: 40 })),
        /** Bytes of the container. None for one that is a block device: it grows to what that has. */
        size: Type.Optional(Type.Integer({ minimum: smallestVolume, maximum: largestVolume, multipleOf: sizeUnit })),
      },
      strict,
    ),
    secrets: none,
    timeoutMs: 240 * minute,
  },
  /** How far a grow is. Waits for no volume: `volume` names one whose turn is taken by that grow. */
  'grow-progress': {
    schema: Type.Object({ verb: Type.Literal('grow-progress'), volume: name, container }, strict),
    secrets: none,
    timeoutMs: minute,
  },
} as const;

/** Bytes of the container before and after, and of the storage that it holds now. */
export interface GrowProgress {
  readonly from: number;
  readonly to: number;
  readonly allocated: number;
}

export interface GrowReport extends VolumeReport {
  readonly grown: {
    /** Bytes of the container. */
    readonly from: number;
    readonly to: number;
    /** `at-open`: container and device have the new size, the filesystem gets it with the next open, for `reason`. */
    readonly filesystem: 'grown' | 'at-open';
    /** Bytes, where it was looked at. */
    readonly filesystemSize: number | null;
    readonly reason: string | null;
  };
}

export interface GrowResults {
  readonly grow: GrowReport;
  readonly 'grow-progress': { readonly progress: GrowProgress | null };
}
