import type { Finding } from '../../luks/header/findings.ts';

const restore = (name: string): string => `restore it: \`reelvault volume header restore ${name}\``;

/** What the admin does about a finding. */
export const nextStepOf = (kind: Finding['kind'], name: string): string => {
  switch (kind) {
    case 'primary-damaged':
    case 'secondary-damaged':
    case 'copies-differ':
      return `write it anew from the whole copy: \`reelvault volume header repair ${name}\``;
    case 'too-short':
    case 'shrunk':
      return 'put the whole file back from a backup of it; what was cut off is lost, and a header does not bring it back';
    case 'other-uuid':
      return 'the file was replaced; put the right one back';
    case 'reencrypting':
      return `finish it: \`reelvault volume reencrypt resume ${name}\``;
    case 'requirement':
      return 'finish it with the tool that began it; `cryptsetup luksDump` shows the requirement';
    case 'null-cipher':
    case 'detached':
      return 'this is no container of a volume; find out who put it there';
    case 'integrity':
      return 'no engine opens it; make a volume without and copy what is in it: `cryptsetup open`, `mount` it by hand';
    case 'no-header':
    case 'header-damaged':
    case 'areas':
    case 'no-keyslot':
      return restore(name);
  }
};
