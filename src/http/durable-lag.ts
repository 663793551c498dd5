/** How long it takes from the last byte of a segment until the segment is durable: the histogram of GET /metrics. */
import { Histogram } from 'prom-client';

/** Seconds. Fine around one and two commit intervals of the default, where the figures of a sound machine lie. */
const buckets = [0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4, 5, 10, 30];

/** In no registry: it outlives those, which are made anew for each scrape. */
export const durableLagHistogram = (): Histogram =>
  new Histogram({
    name: 'reelvault_durable_lag_seconds',
    help: 'from the last byte of a segment until the segment is on disk',
    buckets,
    registers: [],
  });
