/** hls.js in a headless Chromium, on a page of another origin than the service: as on a customer's site. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { type BrowserContext, chromium, type Browser as PlaywrightBrowser } from 'playwright-core';

const program = '/usr/bin/chromium';
const script = path.resolve(import.meta.dirname, '../../node_modules/hls.js/dist/hls.min.js');

/** `window.failures` collects what hls.js calls fatal; `window.media` is the video element. */
const page = `<!doctype html><title>player</title><video id="video" muted autoplay playsinline></video>
<script src="/hls.js"></script><script>
  window.failures = [];
  window.media = document.getElementById('video');
  const hls = new Hls();
  hls.on(Hls.Events.ERROR, (_, data) => { if (data.fatal) window.failures.push(data.details); });
  hls.loadSource(new URLSearchParams(location.search).get('url'));
  hls.attachMedia(window.media);
</script>`;

export const missingForBrowser = (): string | undefined => (existsSync(program) ? undefined : program);

export class Browser {
  readonly #server: Server;
  readonly #browser: PlaywrightBrowser;
  readonly #context: BrowserContext;

  private constructor(server: Server, browser: PlaywrightBrowser, context: BrowserContext) {
    this.#server = server;
    this.#browser = browser;
    this.#context = context;
  }

  static async start(): Promise<Browser> {
    const hls = await readFile(script);
    const server = createServer((request, response) => {
      const isScript = request.url === '/hls.js';
      response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
      response.end(isScript ? hls : page);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const browser = await chromium.launch({
      executablePath: program,
      args: [
        ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-dev-shm-usage'],
        ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
        ...['--autoplay-policy=no-user-gesture-required', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
      ],
    });
    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    return new Browser(server, browser, context);
  }

  /** Fails unless the picture moves: the position grows by more than two seconds and frames are decoded. */
  async expectPlayback(url: string): Promise<void> {
    const tab = await this.#context.newPage();
    try {
      const { port } = this.#server.address() as AddressInfo;
      await tab.goto(`http://127.0.0.1:${port}/?url=${encodeURIComponent(url)}`);
      const from = await tab
        .waitForFunction('window.media.currentTime > 0 && window.media.currentTime', undefined, { timeout: 30_000 })
        .then((handle) => handle.jsonValue() as Promise<number>)
        .catch(() => undefined);
      const failures = await tab.evaluate('window.failures');
      assert.ok(from !== undefined, `expected ${url} to start, got ${JSON.stringify(failures)} from hls.js`);
      // hls.js may jump to the live edge after it has started: a position that grows proves nothing without decoded frames.
      const frames = 'window.media.getVideoPlaybackQuality().totalVideoFrames';
      await tab
        .waitForFunction(`window.media.currentTime > ${from} + 2 && ${frames} > 25`, undefined, { timeout: 30_000 })
        .catch(() => undefined);
      const moved = (await tab.evaluate<number>('window.media.currentTime')) - from;
      assert.ok(moved > 2, `expected the position to move by more than 2 s, got ${moved} s`);
      const decoded = await tab.evaluate<number>(frames);
      assert.ok(decoded > 25, `expected more than 25 decoded frames, got ${decoded}`);
      assert.deepEqual(await tab.evaluate('window.failures'), []);
    } finally {
      await tab.close();
    }
  }

  async close(): Promise<void> {
    await this.#browser.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
