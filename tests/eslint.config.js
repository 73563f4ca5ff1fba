// eslint.config.js -- the rules for every line of JavaScript here: tests, their support, bench, and the page's modules.
//
// Run by scripts/lint from the repository's root, so patterns start there.
import js from '@eslint/js';
import globals from 'globals';

export default [
    { ignores: ['**/node_modules/', 'build*/'] },
    js.configs.recommended,
    {
        languageOptions: { ecmaVersion: 2022, sourceType: 'module' },
        linterOptions: { reportUnusedDisableDirectives: 'error' },
        rules: {
            'consistent-return': 'error',
            curly: ['error', 'multi-line'],
            eqeqeq: 'error',
            'no-constant-binary-expression': 'error',
            'no-implicit-globals': 'error',
            'no-promise-executor-return': 'off',
            'no-self-compare': 'error',
            'no-shadow': 'error',
            'no-template-curly-in-string': 'error',
            'no-unreachable-loop': 'error',
            'no-unused-vars': ['error', { argsIgnorePattern: '^_', caughtErrors: 'none' }],
            'no-use-before-define': ['error', { functions: false, classes: false }],
            'no-var': 'error',
            'object-shorthand': 'error',
            'prefer-const': 'error',
            'require-atomic-updates': 'off',
        },
    },
    { files: ['tests/**/*.js'], languageOptions: { globals: globals.node } },
    // A browser test also holds functions that run in its page.
    { files: ['tests/browser/**/*.js'], languageOptions: { globals: { ...globals.node, ...globals.browser } } },
    { files: ['gateway/web/**/*.js'], languageOptions: { globals: globals.browser } },
];
