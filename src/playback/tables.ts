/** Finds the PAT and the PMT in a transport stream (ISO/IEC 13818-1, 2.4.4), for segments that do not start with them. */

const packetBytes = 188;
const syncByte = 0x47;

const pidOf = (packet: Buffer): number => (((packet[1] as number) & 0x1f) << 8) | (packet[2] as number);

/** The section of a packet in which one starts, or `undefined`. */
const sectionOf = (packet: Buffer): Buffer | undefined => {
  const startsUnit = ((packet[1] as number) & 0x40) !== 0;
  const control = ((packet[3] as number) >> 4) & 3;
  if (!startsUnit || (control & 1) === 0) return undefined;
  const payload = control === 3 ? 5 + (packet[4] as number) : 4;
  const section = payload + 1 + (packet[payload] ?? packetBytes);
  return section + 12 <= packetBytes ? packet.subarray(section) : undefined;
};

/** The PID of the first program's PMT; program 0 is the network's. */
const pmtPid = (section: Buffer): number | undefined => {
  const end = Math.min(3 + ((((section[1] as number) & 0x0f) << 8) | (section[2] as number)) - 4, section.length);
  for (let at = 8; at + 4 <= end; at += 4)
    if (section.readUInt16BE(at) !== 0) return section.readUInt16BE(at + 2) & 0x1fff;
  return undefined;
};

/**
 * Collects the first PAT packet and the first PMT packet after it. A PMT that spans several packets is taken with all of them. A stream
 * may begin inside a packet, and may have lost bytes: packets are looked for where two sync bytes lie a packet apart.
 */
export class TablesFinder {
  #pat: Buffer | undefined;
  #pmtPid: number | undefined;
  readonly #pmt: Buffer[] = [];
  #pmtBytesLeft = 0;
  #rest: Buffer = Buffer.alloc(0);
  /** How far to go on: a packet behind a packet, else byte by byte until one is found. */
  #step = 1;

  /** `bytes`, of any length, go on where the former call ended. The packets once they are complete, PAT first; `undefined` until then. */
  find(bytes: Buffer): Buffer | undefined {
    const all = Buffer.concat([this.#rest, bytes]);
    let at = 0;
    for (; at + packetBytes <= all.length; at += this.#step) {
      const next = all[at + packetBytes];
      if (next === undefined && this.#step === 1) break; // the byte that would confirm the packet is still to come
      const found = all[at] === syncByte && (next === undefined || next === syncByte);
      this.#step = found ? packetBytes : 1;
      if (found && this.#take(all.subarray(at, at + packetBytes)))
        return Buffer.concat([this.#pat as Buffer, ...this.#pmt]);
    }
    this.#rest = all.subarray(at);
    return undefined;
  }

  #take(packet: Buffer): boolean {
    const pid = pidOf(packet);
    const section = sectionOf(packet);
    if (pid === 0 && section?.[0] === 0 && this.#pat === undefined) {
      this.#pmtPid = pmtPid(section);
      if (this.#pmtPid !== undefined) this.#pat = Buffer.from(packet);
    } else if (pid === this.#pmtPid && section?.[0] === 2) {
      this.#pmt.splice(0, this.#pmt.length, Buffer.from(packet));
      this.#pmtBytesLeft = 3 + ((((section[1] as number) & 0x0f) << 8) | (section[2] as number)) - section.length;
      return this.#pmtBytesLeft <= 0;
    } else if (pid === this.#pmtPid && this.#pmt.length > 0) {
      this.#pmt.push(Buffer.from(packet));
      this.#pmtBytesLeft -= packetBytes - 4;
      return this.#pmtBytesLeft <= 0;
    }
    return false;
  }
}
