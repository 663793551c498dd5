/** `reelvault volume list`. */
import type { Command } from 'commander';
import { formatBytes } from '../config/size.ts';
import type { VolumeView } from '../http/volumes.ts';
import { failureText } from './failure-text.ts';
import { clientOf, type GlobalOptions } from './global-options.ts';
import { print, table } from './output.ts';

/** What an admin should know of it: why it failed, or what else is not as it should be, and a size that it has not reached yet. */
export const volumeNote = (volume: VolumeView): string =>
  [
    ...(volume.failure === null ? notesOf(volume) : [failureText(volume.failure)]),
    ...(volume.growing === null ? [] : [growingNote(volume, volume.growing)]),
  ].join('; ');

/** Also of `volume show`. */
export const growingNote = (
  { readOnly }: Pick<VolumeView, 'readOnly'>,
  { to, allocated, running }: NonNullable<VolumeView['growing']>,
): string => {
  const size = formatBytes(to);
  if (!running) return `grow to ${size} waits for the next open${readOnly === true ? ' for writing' : ''}`;
  return `growing to ${size}${allocated === null ? '' : `, ${formatBytes(allocated)} allocated`}`;
};

const row = (volume: VolumeView): string[] => [
  volume.name,
  volume.state,
  formatBytes(volume.netSize),
  volume.type,
  volume.engine,
  volume.mountPoint ?? '',
  volumeNote(volume),
];

const notesOf = ({ header, conditions }: VolumeView): string[] => [
  ...(header === null ? [] : [`${header.problem}: ${header.nextStep}`]),
  ...conditions.map(({ message, nextStep }) => `${message}: ${nextStep}`),
];

export const volumeList = (parent: Command): void => {
  parent
    .command('list')
    .description('all volumes and their states')
    .addHelpText('after', '\nExample:\n  reelvault volume list --json')
    .action(async (_local: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const answer = await clientOf(options).get<{ volumes: VolumeView[] }>('/volumes');
      const head = ['NAME', 'STATE', 'SIZE', 'TYPE', 'ENGINE', 'MOUNT POINT', 'NOTE'];
      print(options, answer, table(head, answer.volumes.map(row)));
    });
};
