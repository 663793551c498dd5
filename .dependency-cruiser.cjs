// The layers of docs/architecture.md. Nothing imports upwards; one module imports the addon, one imports execa.
const low = '^src/(exec|native|errors|bootstrap)';
const rule = (name, comment, from, to) => ({ name, comment, severity: 'error', from, to });
module.exports = {
  forbidden: [
    rule('no-circular', 'a cycle has no bottom', {}, { circular: true }),
    rule('bottom', 'exec, native and errors know nothing above them', { path: '^src/(exec/|native|errors)' }, { path: '^src/', pathNot: '^src/(exec/|native|errors)' }),
    rule('storage', 'volume, luks, datapath and helper stay below the archive',
      { path: '^src/(volume|luks|datapath|helper)/' }, { path: '^src/', pathNot: '^src/(volume|luks|datapath|helper|exec|config)/|^src/(native|errors)' }),
    rule('archive', 'the archive stays below recorder, ingest and playback',
      { path: '^src/archive/' }, { path: '^src/(recorder|ingest|playback|backup|http|cli|auth|tls|demo|main)' }),
    rule('media', 'recorder, ingest and playback stay below http and cli',
      { path: '^src/(recorder|ingest|playback|backup)/' }, { path: '^src/(http|cli|auth|tls|demo|daemon|supervisor|main)' }),
    rule('execa-once', 'src/exec is the only importer of execa', { path: '^src/', pathNot: '^src/exec/' }, { path: 'node_modules/execa' }),
    rule('source-not-test', 'source does not import tests', { path: '^src/' }, { path: '^test/' }),
  ],
  options: { doNotFollow: { path: 'node_modules' }, tsPreCompilationDeps: true, enhancedResolveOptions: { extensions: ['.ts', '.js', '.cjs', '.json'] } },
};
