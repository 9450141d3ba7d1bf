import grafana from '@grafana/eslint-config/flat.js';

export default [
  { ignores: ['dist/', 'node_modules/', 'workbench/', 'src/datasource/query.gen.ts'] },
  ...grafana,
  {
    files: ['src/**/*.{ts,tsx}'],
    languageOptions: { parserOptions: { project: './tsconfig.json' } },
    rules: {
      '@typescript-eslint/no-deprecated': 'error',
      'react/prop-types': 'off',
    },
  },
];
