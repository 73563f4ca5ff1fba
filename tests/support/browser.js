/**
 * browser.js -- a real Chromium for a test, and a place from which a page can be served to it.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import { onEnd } from './cleanup.js';
import { patience } from './scale.js';

const FLAGS = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
    '--autoplay-policy=no-user-gesture-required',
];

/** Chromium is installed by scripts/deps, under one of these names. */
async function findChromium() {
    for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
        try {
            return (await promisify(execFile)('which', [name])).stdout.trim();
        } catch {
            // the next name
        }
    }
    throw new Error('there is no Chromium on the PATH');
}

/**
 * A browser process of its own, with an empty profile. It ends with the test.
 * @param {import('node:test').TestContext} t
 * @returns {Promise<import('playwright-core').BrowserContext>} with newPage()
 */
export async function startBrowser(t) {
    const profile = await mkdtemp(path.join(os.tmpdir(), 'plenum-chromium-'));
    onEnd(t, () => rm(profile, { recursive: true, force: true, maxRetries: 5 }));
    const context = await chromium.launchPersistentContext(profile, {
        executablePath: await findChromium(),
        args: FLAGS,
        headless: true,
        timeout: 60_000 * patience,
    });
    onEnd(t, () => context.close());
    context.setDefaultTimeout(20_000 * patience);
    return context;
}

/**
 * A page that notes what its console and its errors say.
 * @param {import('playwright-core').BrowserContext} browser
 * @returns {Promise<{page: import('playwright-core').Page, complaints: string[]}>}
 */
export async function openPage(browser) {
    const page = await browser.newPage();
    const complaints = [];
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (line) => {
        if (line.type() === 'error' || line.type() === 'warning') complaints.push(line.text());
    });
    return { page, complaints };
}

/**
 * Serves one HTML page, at any path, from another origin than the gateway's.
 * @param {import('node:test').TestContext} t
 * @param {string} html
 * @returns {Promise<string>} its address
 */
export async function servePage(t, html) {
    const server = http.createServer((request, response) => {
        const found = request.url !== '/favicon.ico';
        response.writeHead(found ? 200 : 204, { 'content-type': 'text/html; charset=utf-8' }).end(found ? html : '');
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    onEnd(t, () => {
        server.closeAllConnections();
        return new Promise((resolve) => server.close(resolve));
    });
    return `http://127.0.0.1:${server.address().port}/`;
}

/**
 * Keeps a picture of the page where TEST_SCREENSHOTS names a folder, for people to look at.
 * @param {import('playwright-core').Page} page
 * @param {string} name
 */
export async function keepScreenshot(page, name) {
    const folder = process.env.TEST_SCREENSHOTS;
    if (folder) await page.screenshot({ path: path.join(folder, `${name}.png`) });
}
