/** Every setting of the service in one typed object. Where a value may come from is in `load.ts`; nothing else reads the environment. */
import Type, { type Static } from 'typebox';

const absolutePath = (description: string) => Type.String({ pattern: '^/[^\\u0000]*$', maxLength: 4096, description });

/** Also the name of a mount point and of a container's file, hence so few characters and no leading dot or dash. */
export const volumeNamePattern = '^[a-z0-9][a-z0-9_-]{0,62}$';

/** A type of events, or with a star all that begin so. */
export const eventTypePattern = '^[a-z][a-z.-]{0,62}(\\*)?$';

export const settingsSchema = Type.Object(
  {
    datapath: Type.Array(absolutePath('a top directory of the datapath'), {
      minItems: 1,
      maxItems: 16,
      description:
        'directories outside which the service touches nothing; the first holds containers, the last mount points',
    }),
    state: absolutePath('the daemon keeps volumes.json, streams.json, admin.json and tls/ here'),
    config: Type.String({
      pattern: '^(/[^\\u0000]*)?$',
      maxLength: 4096,
      description: 'the configuration file; empty: reelvault.yaml in the state directory',
    }),
    runtime: absolutePath('sockets and the FUSE mount points of the userspace engine'),
    headerCopies: Type.String({
      pattern: '^(/[^\\u0000]*)?$',
      maxLength: 4096,
      description:
        'second place of header backups, beneath another root of the datapath than the first; empty: .headers in the last root',
    }),
    devices: Type.Array(Type.String({ pattern: '^/dev/[^\\s\\u0000]+$', maxLength: 4096 }), {
      maxItems: 256,
      description:
        'block devices that may be made containers, a space between them: paths, or with a slash at the end a directory of such names; none: none',
    }),
    datapathOwner: Type.Integer({
      minimum: 0,
      maximum: 4_294_967_294,
      description:
        'user beside root who may own directories above the datapath, by number: who can replace those does what root can',
    }),
    listenHost: Type.String({ minLength: 1, maxLength: 255, description: 'address the HTTPS listener binds' }),
    listenPort: Type.Integer({
      minimum: 0,
      maximum: 65535,
      description: 'port of the HTTPS listener; 0 picks a free one',
    }),
    serviceUser: Type.String({ pattern: '^[a-z_][a-z0-9_-]{0,30}$', description: 'the account the daemon runs as' }),
    defaultVolume: Type.String({
      pattern: volumeNamePattern,
      description: 'volume of a stream that names none',
    }),
    commitIntervalMs: Type.Integer({
      minimum: 50,
      maximum: 10_000,
      description: 'longest time between two commits: what a power cut can cost',
    }),
    segmentMs: Type.Integer({
      minimum: 500,
      maximum: 60_000,
      description: 'wanted length of a segment of a new stream',
    }),
    stagingMiB: Type.Integer({
      minimum: 8,
      maximum: 4096,
      description: 'memory for recorded bytes on their way to disk',
    }),
    preRecordMiB: Type.Integer({
      minimum: 0,
      maximum: 65_536,
      description: 'memory for what streams keep that are not recorded, of all streams together',
    }),
    writerBackend: Type.Enum(['auto', 'io_uring', 'pwrite'], {
      description: 'how the native writer issues its writes',
    }),
    ingestIdleMs: Type.Integer({
      minimum: 100,
      maximum: 3_600_000,
      description: 'a publisher that sends nothing for this long is let go',
    }),
    hangMs: Type.Integer({
      minimum: 1000,
      maximum: 600_000,
      description: 'a block plane that does nothing for this long, while requests wait, is cut off',
    }),
    hostReserveMiB: Type.Integer({
      minimum: 64,
      maximum: 1_048_576,
      description: 'recording pauses when less than this is free below a sparse container',
    }),
    volumeReserveMiB: Type.Integer({
      minimum: 16,
      maximum: 1_048_576,
      description: 'recording pauses when less than this (a 32nd of a small volume) is free in the volume',
    }),
    webhookUrls: Type.Array(Type.String({ maxLength: 4096 }), {
      maxItems: 8,
      description: 'where events are posted to; none: nowhere',
    }),
    webhookSecretFile: Type.String({
      pattern: '^(/[^\\u0000]*)?$',
      maxLength: 4096,
      description: 'holds what the posted events are signed with; read by who starts the service',
    }),
    webhookTypes: Type.Array(Type.String({ pattern: eventTypePattern }), {
      maxItems: 32,
      description: 'types of events that are posted, with a star at the end all that begin so; none: all',
    }),
    webhookCaFile: Type.String({
      pattern: '^(/[^\\u0000]*)?$',
      maxLength: 4096,
      description: 'certificates that receivers are trusted by, in place of those of the machine',
    }),
    episodesUrl: Type.String({
      maxLength: 4096,
      description: 'list of episodes that another system keeps; empty: none. Nothing is deleted while it cannot be had',
    }),
    logLevel: Type.Enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
      description: 'least severe message of the log on standard error',
    }),
  },
  { additionalProperties: false },
);

export type Settings = Static<typeof settingsSchema>;
export type SettingKey = keyof Settings;

export const defaultSettings: Settings = {
  datapath: ['/storage', '/mount'],
  state: '/var/lib/reelvault',
  config: '',
  runtime: '/run/reelvault',
  headerCopies: '',
  devices: [],
  datapathOwner: 0,
  listenHost: '127.0.0.1',
  listenPort: 8443,
  serviceUser: 'reelvault',
  defaultVolume: 'main',
  commitIntervalMs: 1000,
  segmentMs: 4000,
  stagingMiB: 64,
  preRecordMiB: 128,
  writerBackend: 'auto',
  ingestIdleMs: 15_000,
  hangMs: 30_000,
  hostReserveMiB: 512,
  volumeReserveMiB: 128,
  webhookUrls: [],
  webhookSecretFile: '',
  webhookTypes: [],
  webhookCaFile: '',
  episodesUrl: '',
  logLevel: 'info',
};
