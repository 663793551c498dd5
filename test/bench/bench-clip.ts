/** A live stream as an encoder sends it: 4 Mbit/s of MPEG-TS at a constant rate, a keyframe every two seconds. */
import { must } from '../luksblock/support.ts';

export const clipBitsPerSecond = 4_000_000;

/** Encodes `seconds` into `file`. The picture is small: what a recorder does depends on bytes and keyframes. */
export const makeClip = (file: string, seconds: number): Promise<string> =>
  must('ffmpeg', [
    ...['-nostdin', '-v', 'error', '-y', '-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25,noise=alls=40:allf=t'],
    ...['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=48000', '-t', String(seconds)],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-g', '50', '-keyint_min', '50'],
    ...['-sc_threshold', '0', '-b:v', '3500k', '-minrate', '3500k', '-maxrate', '3500k', '-bufsize', '3500k'],
    ...['-x264-params', 'nal-hrd=cbr', '-c:a', 'aac', '-b:a', '64k'],
    ...['-f', 'mpegts', '-muxrate', String(clipBitsPerSecond), file],
  ]);
