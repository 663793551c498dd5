/** An address and port that HTTPS listens on, as text. */
export interface ListenAddress {
  readonly listenHost: string;
  readonly listenPort: number;
}

/** `host:port`, `[::1]:port` or a port alone, which is on the loopback address. */
export const listenPattern = '^(([0-9A-Za-z.-]+|\\[[0-9a-fA-F:.]+\\]):)?[0-9]{1,5}$';

/** Undefined for a text that is none. */
export const listenAddress = (text: string): ListenAddress | undefined => {
  const match = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):)?(\d{1,5})$/.exec(text);
  const listenPort = Number(match?.[3]);
  if (match === null || listenPort > 65535) return undefined;
  return { listenHost: match[1] ?? match[2] ?? '127.0.0.1', listenPort };
};

export const listenText = ({ listenHost, listenPort }: ListenAddress): string =>
  `${listenHost.includes(':') ? `[${listenHost}]` : listenHost}:${listenPort}`;
