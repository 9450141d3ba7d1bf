import grafana from '@grafana/eslint-config';

export default [
  {
    ignores: [
      'dist/',
      'node_modules/',
      'workbench/dist*/',
      'workbench/react18/',
      'workbench/e2e/out/',
      'workbench/grafana/out/',
      'src/datasource/query.gen.ts',
      // AssemblyScript is read by its own compiler only.
      'src/renderer/points/kernel/',
      'src/renderer/points/kernel.gen.ts',
    ],
  },
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
  {
    // A host speaks to plugins of any age: what is deprecated among its words is spoken still.
    files: ['workbench/page/**/*.{ts,tsx}'],
    languageOptions: { parserOptions: { project: './workbench/page/tsconfig.json' } },
    rules: { 'react/react-in-jsx-scope': 'off', 'react/prop-types': 'off' },
  },
  {
    files: ['workbench/grafana/**/*.ts'],
    languageOptions: { parserOptions: { project: './workbench/grafana/tsconfig.json' } },
    rules: { '@typescript-eslint/no-deprecated': 'error' },
  },
];
