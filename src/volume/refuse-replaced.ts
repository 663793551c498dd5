import { ReelError } from '../errors.ts';

/** Throws `container-replaced` where what lies at `path` is another container than the `registered` one. */
export const refuseReplaced = (
  { path, uuid }: { readonly path: string; readonly uuid: string },
  registered: string | undefined,
): void => {
  if (registered === undefined || registered === uuid) return;
  throw new ReelError('container-replaced', {
    expected: `the container ${registered} at ${path}`,
    got: uuid,
    hint: 'the file was replaced; put the right one back',
  });
};
