import { ReelError } from '../../errors.ts';
import { findingsOf, uuidOf } from '../../luks/header/findings.ts';
import { type Header, readHeader } from '../../luks/header/read-header.ts';
import type { VolumeContext } from '../context.ts';
import type { ContainerFile } from '../engine/engine.ts';
import type { VolumePaths } from '../layout.ts';
import { attachmentsOf } from '../look.ts';
import { mountAt, readMounts } from '../mountinfo.ts';
import { placeOf } from '../place.ts';
import { refuseReplaced } from '../refuse-replaced.ts';

/** Which container a request is about. `uuid` is the registered one: what is left to go by when the header cannot be read. */
export interface Which {
  readonly name: string;
  readonly container?: string | undefined;
  readonly uuid?: string | undefined;
}

export interface Found {
  readonly paths: VolumePaths;
  readonly header: Header;
  /** Of the header where it can be read, else the registered one. */
  readonly uuid: string;
}

/**
 * The container of a volume, however damaged its header is. Throws `not-found`, `path-outside`; `container-replaced` when it says that it is
 * another one than registered; `luks-damaged` or `not-luks` when neither header nor registration tell which it is.
 */
export const findContainer = async (context: VolumeContext, which: Which): Promise<Found> => {
  const paths = context.layout.paths(which.name, which.container);
  await context.layout.proveFile(paths.container);
  const header = await readHeader(paths.container);
  const own = header.type === 'luks1' || header.type === 'luks2' ? uuidOf(header) : undefined;
  if (own !== undefined) refuseReplaced({ path: paths.container, uuid: own }, which.uuid);
  const uuid = own ?? which.uuid;
  if (uuid !== undefined) return { paths, header, uuid };
  const [finding] = findingsOf(header);
  throw new ReelError(finding?.refusal ?? 'luks-damaged', {
    expected: `a LUKS container at ${paths.container}`,
    got: finding?.text ?? 'no header',
  });
};

/** Throws `volume-busy` while anything of the container is attached or mounted. */
export const refuseOpen = async (context: VolumeContext, { paths, header, uuid }: Found): Promise<void> => {
  const type = header.type === 'luks1' ? 'luks1' : 'luks2';
  const container: ContainerFile = { ...(await placeOf(paths.container)), uuid, type };
  const [attached] = await attachmentsOf(context, container);
  const mount = mountAt(await readMounts(), paths.mountPoint);
  if (attached === undefined && mount === undefined) return;
  throw new ReelError('volume-busy', {
    expected: `the volume ${paths.name} to be locked`,
    got: mount === undefined ? 'an attached container' : `one mounted at ${paths.mountPoint}`,
    hint: 'lock it first',
  });
};
