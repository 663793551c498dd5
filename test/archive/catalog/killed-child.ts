/** Records into the directory given, as the recorder tells the catalog of it, until it is killed. One line is printed when it has begun. */
import fs from 'node:fs';
import { Catalog } from '../../../src/archive/catalog/catalog.ts';
import { Jail } from '../../../src/datapath/jail.ts';
import { run, someHour, TemporaryVolume } from '../fixtures.ts';

const [root = ''] = process.argv.slice(2);
const files = new Jail({ fd: fs.openSync(root, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY), label: 'volume' });
const volume = Object.assign(Object.create(TemporaryVolume.prototype) as TemporaryVolume, { root, files });
const catalog = new Catalog({ files });
catalog.start();
for (const stream of ['cam', 'door']) await catalog.began(stream);
process.stdout.write('recording\n');
for (let hour = someHour; ; hour += 1) {
  for (const stream of ['cam', 'door']) {
    volume.reel(stream, run(hour, 20));
    catalog.durable(stream, hour);
  }
  await new Promise((resolve) => setImmediate(resolve));
}
