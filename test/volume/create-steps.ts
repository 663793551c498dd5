/** The steps of `create` (docs/volumes.md) at whose end there is no volume yet, in their order. */
export const beforeName = [
  'checked',
  'key',
  'allocated',
  'formatted',
  'attached',
  'filesystem',
  'mounted',
  'identity',
  'backup',
];
