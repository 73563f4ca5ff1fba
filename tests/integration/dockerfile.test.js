/**
 * The image holds the libraries that the gateway needs: what the dynamic linker loads comes from a package that
 * deploy/Dockerfile installs, or from the base image.
 */
import assert from 'node:assert/strict';
import { readFileSync, realpathSync } from 'node:fs';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { gatewayBinary } from '../support/gateway.js';
import { run } from '../support/program.js';
import { sanitizer } from '../support/scale.js';

const DOCKERFILE = fileURLToPath(new URL('../../deploy/Dockerfile', import.meta.url));

/** What every Debian image has. */
const BASE = ['libc6', 'libgcc-s1'];

/** The packages that the last stage installs. */
function runtimePackages() {
    const lastStage = readFileSync(DOCKERFILE, 'utf8').split(/^FROM /m).pop();
    const [, list] = /apt-get install -y --no-install-recommends([\s\S]*?)&&/.exec(lastStage);
    return list.split(/[\s\\]+/).filter(Boolean);
}

/** @param {string} library its path, as the linker found it */
async function packageOf(library) {
    const file = realpathSync(library);
    // Debian's /lib is /usr/lib, but its packages may still know a file by the old name.
    for (const name of [file, file.replace(/^\/usr\//, '/')]) {
        const { ended, stdout } = await run('dpkg-query', ['--search', name]);
        if (ended.code === 0) return stdout.split(':')[0];
    }
    return `no package (${file})`;
}

test('the image installs exactly the libraries that the gateway loads', async (t) => {
    if (sanitizer) {
        t.skip('an instrumented build needs more');
        return;
    }
    const { ended, stdout } = await run('ldd', [gatewayBinary]);
    assert.equal(ended.code, 0);
    assert.doesNotMatch(stdout, /not found/);
    const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, library]) => library);
    const needed = new Set(await Promise.all(libraries.map(packageOf)));
    for (const name of BASE) needed.delete(name);
    assert.deepEqual([...needed].sort(), runtimePackages().sort());
});
