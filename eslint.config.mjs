import grafana from '@grafana/eslint-config';

export default [
  { ignores: ['dist/', 'node_modules/', 'workbench/', 'src/datasource/query.gen.ts'] },
  ...grafana,
  {
    files: ['src/**/*.{ts,tsx}'],
    languageOptions: { parserOptions: { project: './tsconfig.json' } },
    rules: {
      '@typescript-eslint/no-deprecated': 'error',
      // JSX is compiled to calls of react/jsx-runtime.
      'react/react-in-jsx-scope': 'off',
      'react/prop-types': 'off',
    },
  },
];
