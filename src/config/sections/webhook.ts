/** `webhook`: where events are posted. What they are signed with stays in the environment: it is read by root. */
import Type from 'typebox';
import { like, urlFaults } from './like-setting.ts';
import type { Section } from './section.ts';

const schema = Type.Object(
  {
    // The path or the query of a hook often is the key to it.
    urls: like('webhookUrls', { secret: true }),
    types: like('webhookTypes'),
  },
  { additionalProperties: false, default: {} },
);

export const webhook: Section<typeof schema> = {
  schema,
  check: ({ urls }, { webhookSecretFile }) => [
    ...urls.flatMap((url, index) => urlFaults(url, ['urls', index])),
    ...(urls.length > 0 && webhookSecretFile === ''
      ? [{ path: ['urls'], expected: 'none without REELVAULT_WEBHOOK_SECRET_FILE in the environment', got: 'some' }]
      : []),
  ],
};
