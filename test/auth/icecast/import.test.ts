/** Icecast's XML: the examples of its own guide word for word, and whatever else may come. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { parse } from 'yaml';
import { importedYaml, importIcecast } from '../../../src/auth/icecast/import.ts';
import { compileRules } from '../../../src/auth/rules/compile.ts';
import { decide } from '../../../src/auth/rules/engine.ts';
import { ReelError } from '../../../src/errors.ts';
import { params, webRequest } from '../rules/support.ts';
import { globalYaml, listenerYaml, streamYaml } from '../seed-examples.ts';

const globalXml = `<authentication>
                <role type="static" allow-all="*" >
                        <option name="username"
value="admin" />
                        <option name="password"
value="hackme" />
                </role>
                <role type="static" allow-web="*"
deny-admin="*" >
                        <option name="username"
value="listener" />
                        <option name="password"
value="salad" />
                </role>
                <role type="anonymous" deny-all="*" />
        </authentication>`;
const mountXml = `<mount type="normal">
                <mount-name>/example1.ogg</mount-name>
                <authentication>
                        <role type="static"
allow-web="*">
                                <option name="username"
                                value="friend" />
                                <option name="password"
value="wine" />
                        </role>
                </authentication>
        </mount>`;
const socketXml = `<listen-socket>
                <bind-address>192.0.2.137</bind-address>
                <port>8000</port>
                <authentication>
                        <role type="anonymous"
match-admin="*"
                        nomatch-web="*" deny-all="*" />
                </authentication>
        </listen-socket>`;

const printed = (xml: string): string => importedYaml(importIcecast(xml)).replaceAll(/^#.*\n/gm, '');

suite("the guide's examples", () => {
  test('the global block', () => assert.equal(printed(globalXml), globalYaml));
  test('the block of one mount', () => assert.equal(printed(mountXml), streamYaml));
  test('the block of a listen socket', () => assert.equal(printed(socketXml), listenerYaml('192.0.2.137:8000')));

  test('all of them in one file, with other things that are none of our business', () => {
    const xml = `<?xml version="1.0"?>\n<icecast><location>Earth &amp; Moon</location><!-- a <role> -->${globalXml}${mountXml}${socketXml}<limits><clients>1</clients></limits></icecast>`;
    assert.equal(printed(xml), listenerYaml('192.0.2.137:8000') + streamYaml + globalYaml);
    assert.deepEqual(
      importIcecast(xml).notes.map(({ text }) => text),
      ['/example1.ogg is the stream example1 here', '192.0.2.137:8000 is to be the name of a listener here'],
    );
  });

  test('what is printed is read again as the same rules', () => {
    const imported = importIcecast(`<icecast>${globalXml}${mountXml}</icecast>`);
    assert.deepEqual(parse(importedYaml(imported)), imported.rules);
    assert.match(importedYaml(imported), /^# line \d+: \/example1.ogg is the stream example1 here\n/);
  });
});

const role = (xml: string): Record<string, unknown> =>
  importIcecast(`<authentication>${xml}</authentication>`).rules.authentication?.[0] ?? assert.fail();
const notesOf = (xml: string): string => JSON.stringify(importIcecast(xml).notes);

suite('roles', () => {
  test('url, with its options, headers, limits and filters', () => {
    const xml = `<role type="url" name="shop" match-method="get,HEAD" nomatch-origin="https://a" connections-per-user="2" connection-duration="*">
      <option name="client_add" value="http://a/?b&amp;c" /><option name="auth_header" value="icecast-auth-user: 1&#13;&#10;" />
      <option name="header_alter_action" value="x" />
      <http-headers><header name="X-A" value="b" status="404" /><header type="cors" name="Access-Control-Allow-Origin" /></http-headers>
    </role>`;
    assert.deepEqual(role(xml), {
      type: 'url',
      name: 'shop',
      match_method: 'get,head',
      nomatch_origin: 'https://a',
      connections_per_user: 2,
      http_headers: [{ name: 'X-A', value: 'b', status: 404 }],
      options: { client_add: 'http://a/?b&c', auth_header: 'icecast-auth-user: 1\r\n' },
    });
    const notes = notesOf(`<authentication>${xml}</authentication>`);
    for (const wanted of [/header_alter_action was left out/, /of the type cors/, /these methods and no others/])
      assert.match(notes, wanted);
  });

  test('htpasswd: the file is to be copied', () => {
    const xml = '<role type="htpasswd"><option name="filename" value="/etc/icecast/my.auth"/></role>';
    assert.deepEqual(role(xml), { type: 'htpasswd', options: { filename: 'my.auth', legacy_md5: true } });
    assert.match(notesOf(`<authentication>${xml}</authentication>`), /copy \/etc\/icecast\/my.auth to auth\/my.auth/);
  });

  test('commands of Icecast that there are not here are left out, and never let a role be about more', () => {
    assert.deepEqual(role('<role type="anonymous" match-admin="stats,killsource" deny-all="*"/>'), {
      type: 'anonymous',
      nomatch_admin: '*',
      deny_all: '*',
    });
    assert.deepEqual(role('<role type="anonymous" allow-admin="stats,buildm3u" deny-admin="*"/>'), {
      type: 'anonymous',
      deny_admin: '*',
    });
  });

  test('users of 2.4 in a global list', () => {
    const xml = `<icecast><authentication><source-password>s</source-password><relay-password>r</relay-password>
      <admin-user>boss</admin-user><admin-password>a</admin-password></authentication></icecast>`;
    assert.deepEqual(importIcecast(xml).rules.authentication, [
      { type: 'static', allow_all: '*', options: { username: 'boss', password: 'a' } },
      { type: 'static', allow_method: 'put,post', options: { username: 'source', password: 's' } },
    ]);
    assert.match(notesOf(xml), /relay-password was left out/);
  });
});

suite('what is refused', () => {
  const refused = (xml: string, words: RegExp): void => {
    assert.throws(
      () => importIcecast(xml),
      (error: unknown) => {
        assert.ok(error instanceof ReelError, String(error));
        assert.match(error.message, words);
        assert.doesNotMatch(JSON.stringify(error.toJSON()), /marked/);
        return true;
      },
    );
  };

  test('entities of the document, also where they would be expanded a million times or read a file', () => {
    refused('<!DOCTYPE icecast [<!ENTITY f SYSTEM "file:///etc/passwd">]><icecast>&f;</icecast>', /document type/);
    refused('<icecast>&marked;</icecast>', /entity/);
  });

  test('what is not well-formed, with its line and without its text', () => {
    refused(
      '<authentication>\n<role type="static"><option name="password" value="marked-secret"></role></authentication>',
      /line 2/,
    );
    refused('<authentication><role type=marked-secret /></authentication>', /attribute/);
    refused('marked-secret', /./);
    refused('', /./);
    refused('<html/>', /<html>/);
  });

  test('roles that would be missed', () => {
    refused('<authentication>\n<role type="legacy-password"/></authentication>', /line 2.*legacy-password/);
    refused('<authentication><role deny-all="*"/></authentication>', /got none/);
    refused('<mount><mount-name>/a</mount-name><authentication type="url"/></mount>', /2\.4/);
    refused('<mount><mount-name>/a b</mount-name><authentication/></mount>', /name can be that of a stream/);
    refused(
      '<authentication><role type="static"><option name="username" value="a"/></role></authentication>',
      /password/,
    );
  });
});

test('attributes mean what they mean in their order, however they are ordered', async () => {
  const attribute = fc.oneof(
    fc.tuple(fc.constantFrom('allow-method', 'deny-method'), fc.constantFrom('get', 'put', 'PUT,head', '*', 'options')),
    fc.tuple(fc.constantFrom('allow-web', 'deny-web', 'allow-all', 'deny-all'), fc.constantFrom('*', 'true', 'no')),
    fc.tuple(fc.constantFrom('allow-admin', 'deny-admin'), fc.constantFrom('*', 'buildm3u')),
  );
  /** As the guide has it: each sets what it names, the later one stands over the earlier one. */
  const model = (
    attributes: readonly (readonly [string, string])[],
    method: string,
    command: string | undefined,
  ): boolean => {
    let methods = (name: string): boolean => name === 'get' || name === 'options';
    let admin = (name: string): boolean => name === 'buildm3u';
    let web = true;
    for (const [name, value] of attributes) {
      const is = name.startsWith('allow') === (value !== 'no');
      const names = value.toLowerCase().split(',');
      const [formerMethods, formerAdmin] = [methods, admin];
      if (name.endsWith('method')) methods = (one) => (value === '*' || names.includes(one) ? is : formerMethods(one));
      if (name.endsWith('admin')) admin = (one) => (value === '*' || names.includes(one) ? is : formerAdmin(one));
      if (name.endsWith('web') || name.endsWith('all')) web = is;
      if (name.endsWith('all')) [methods, admin] = [() => is, () => is];
    }
    return methods(method) && (command === undefined ? web : admin(command));
  };
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(attribute, { selector: ([name]) => name, maxLength: 6 }), async (attributes) => {
      const xml = attributes.map(([name, value]) => `${name}="${value}"`).join(' ');
      const { rules } = importIcecast(`<authentication><role type="anonymous" ${xml}/></authentication>`);
      const lists = compileRules(rules, params());
      for (const method of ['get', 'put', 'head', 'options', 'delete'])
        for (const command of [undefined, 'buildm3u', 'volumes']) {
          const { outcome } = await decide(lists, webRequest({ method: method.toUpperCase(), command }));
          assert.equal(outcome === 'allowed', model(attributes, method, command), `${xml}: ${method} ${command}`);
        }
    }),
    { numRuns: 500 },
  );
});
