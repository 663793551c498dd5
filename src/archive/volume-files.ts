/** The files of one open volume, as the archive uses them. Paths are relative to the volume's root and cannot leave it. */

export interface VolumeFiles {
  /** The descriptor of the volume's root directory; owned by whoever made this object. */
  readonly fd: number;
  /** A new descriptor, owned by the caller. Throws with `code` ENOENT where the path is missing. */
  open(path: string, flags: number): number;
  list(path: string): readonly { readonly name: string }[];
  unlink(path: string): void;
}

/** The result of `look`, or `otherwise` where what it looks for does not exist. */
export const whenMissing = <T>(look: () => T, otherwise: T): T => {
  try {
    return look();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return otherwise;
    throw error;
  }
};
