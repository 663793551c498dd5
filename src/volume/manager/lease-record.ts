import { type Static, Type } from 'typebox';

/**
 * What the daemon remembers of a lease, in the record of its volume. It says what is wanted; whether it is mounted is asked of the helper,
 * which asks the kernel.
 */
export const leaseRecordSchema = Type.Object({
  consumer: Type.String(),
  /** Inside the volume; `.` is its root. */
  path: Type.String(),
  readOnly: Type.Boolean(),
  uid: Type.Integer(),
  gid: Type.Integer(),
  /** Mounted again whenever the volume is opened; otherwise gone once the volume has been locked. */
  persistent: Type.Boolean(),
  createdAt: Type.String(),
});

export type LeaseRecord = Static<typeof leaseRecordSchema>;
