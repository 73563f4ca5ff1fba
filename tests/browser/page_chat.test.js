/**
 * page_chat.test.js -- the small page that a gateway serves: it connects by itself, and what one types, others read.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { keepScreenshot, openPage, startBrowser } from '../support/browser.js';
import { connect } from '../support/client.js';
import { startGateway } from '../support/gateway.js';
import { startRedis } from '../support/redis.js';

/** The page by the names that assistive technology reads. */
function parts(page) {
    return {
        text: page.getByRole('textbox', { name: 'Message', exact: true }),
        send: page.getByRole('button', { name: 'Send', exact: true }),
        log: page.getByRole('log', { name: 'Messages', exact: true }),
    };
}

describe('the page', () => {
    test('what_one_types_shows_in_the_other_page_on_another_gateway', async (t) => {
        const redis = await startRedis(t);
        const args = ['--redis', redis.url];
        const gateways = await Promise.all([startGateway(t, { args }), startGateway(t, { args })]);
        const browser = await startBrowser(t);
        const opened = [];
        for (const gateway of gateways) {
            const one = await openPage(browser);
            await one.page.goto(`${gateway.httpUrl}/`);
            // The button can be pressed as soon as the page has connected, by itself.
            await one.page.waitForFunction(() => !document.querySelector('button')?.disabled);
            opened.push(one);
        }
        const [ada, bob] = opened.map(({ page }) => parts(page));

        await ada.text.fill('Hello <b>Bob</b> & all');
        await ada.text.press('Enter');
        await bob.log.getByText('Hello <b>Bob</b> & all', { exact: true }).waitFor();
        await ada.log.getByText('Hello <b>Bob</b> & all', { exact: true }).waitFor();
        assert.equal(await ada.text.inputValue(), '', 'the field is empty again');

        await bob.text.fill('Hello Ada');
        await bob.send.click();
        await ada.log.getByText('Hello Ada', { exact: true }).waitFor();
        await bob.log.getByText('Hello Ada', { exact: true }).waitFor();

        await redis.cli('PUBLISH', 'plenum:{lobby}', 'restart in 5 min');
        for (const { log } of [ada, bob]) await log.getByText('restart in 5 min', { exact: true }).waitFor();

        // One's own message looks like one's own: its place in the log is marked otherwise than that of others.
        const mark = (log, text) =>
            log.getByText(text, { exact: true }).evaluate((element) => {
                const entry = element.closest('li, p, article, [role="listitem"]') ?? element;
                return [entry.className, JSON.stringify(entry.dataset), entry.textContent.replace(/Hello.*/, '')].join('|');
            });
        assert.notEqual(await mark(ada.log, 'Hello <b>Bob</b> & all'), await mark(ada.log, 'Hello Ada'));
        assert.notEqual(await mark(ada.log, 'Hello Ada'), await mark(bob.log, 'Hello Ada'));

        await keepScreenshot(opened[0].page, 'page-chat');
        await opened[0].page.setViewportSize({ width: 360, height: 640 });
        await keepScreenshot(opened[0].page, 'page-chat-narrow');
        for (const { complaints } of opened) assert.deepEqual(complaints, []);
    });

    test('a_script_in_a_message_stays_text', async (t) => {
        const gateway = await startGateway(t);
        const browser = await startBrowser(t);
        const { page } = await openPage(browser);
        await page.goto(`${gateway.httpUrl}/`);
        await page.waitForFunction(() => !document.querySelector('button')?.disabled);
        const stranger = await connect(t, gateway.url);
        const bad = '<img src=x onerror="document.title = \'taken\'"><script>document.title = "taken"</script>';
        stranger.send(bad);
        await parts(page).log.getByText(bad, { exact: true }).waitFor();
        assert.equal(await page.locator('img[src=x]').count(), 0);
        assert.notEqual(await page.title(), 'taken');
    });

    test('it_says_when_the_connection_is_gone_and_comes_back_by_itself', async (t) => {
        const first = await startGateway(t, { args: ['--drain', '1'] });
        const browser = await startBrowser(t);
        const { page } = await openPage(browser);
        await page.goto(`${first.httpUrl}/`);
        await page.waitForFunction(() => !document.querySelector('button')?.disabled);
        await first.stop('SIGTERM');
        await page.waitForFunction(() => document.querySelector('button').disabled);
        const again = await startGateway(t, { listen: `127.0.0.1:${first.port}` });
        await page.waitForFunction(() => !document.querySelector('button').disabled);
        const listener = await connect(t, again.url);
        await parts(page).text.fill('back again');
        await parts(page).send.click();
        assert.equal((await listener.next()).data, 'back again');
    });
});
