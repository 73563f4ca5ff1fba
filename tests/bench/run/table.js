/**
 * table.js -- the results for people: tables, and a sentence for each target that was missed.
 */

/** @param {string[][]} rows the first is the head; the first column is left-aligned, the others right */
function align(rows) {
    const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
    const line = (row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ');
    return rows.map(line).join('\n');
}

const count = (number) => Math.round(number).toLocaleString('en');

function verdict({ value, target }) {
    if (target === undefined) return '-';
    return value <= target ? 'met' : 'MISSED';
}

function trafficRow(result) {
    const ratio = (number) => number.toFixed(2);
    return [
        result.name,
        result.gateway_us.toFixed(3),
        result.floor_us.toFixed(3),
        ratio(result.value),
        `${ratio(Math.min(...result.ratios))}-${ratio(Math.max(...result.ratios))}`,
        result.target === undefined ? '-' : ratio(result.target),
        verdict(result),
        count(result.deliveries_per_s),
        result.p50_ms.toFixed(2),
        result.p99_ms.toFixed(2),
        result.p999_ms.toFixed(2),
        result.floor_p99_ms.toFixed(2),
        result.redis_us.toFixed(1),
        `${result.lost}/${result.duplicated}/${result.reordered}`,
    ];
}

const TRAFFIC_HEAD = [
    ...['workload', 'gateway us', 'floor us', 'ratio', 'range', 'target', '', 'deliveries/s'],
    ...['p50 ms', 'p99', 'p99.9', 'floor p99', 'redis us', 'lost/dup/reordered'],
];

const TRAFFIC_NOTE =
    'us: CPU of the gateways, of the floor, per delivery; of redis-server per published message, what it uses at rest\n' +
    'included. ratio: median of the pairs, each over the mean of the floors before and after. Latencies are from send to\n' +
    'receipt, medians of the runs.';

function idleRow(result) {
    const target = result.target === undefined ? '-' : String(result.target);
    const bytes = [result.value, result.pss, result.bytes_beyond_first].map((number) => String(Math.round(number)));
    return [result.name, ...bytes, target, verdict(result)];
}

const IDLE_HEAD = ['workload', 'bytes per connection', 'by PSS', 'beyond the first', 'target', ''];

const IDLE_NOTE =
    "The growth of the gateway's RSS over its connections; PSS moves with who else shares its libraries. Beyond the\n" +
    'first: what it grew by after its first connection was open; much less means that the first handshake maps code.';

/** @param {object[]} results of measure() */
export function tables(results) {
    const traffic = results.filter(({ kind }) => kind === 'traffic');
    const idle = results.filter(({ kind }) => kind === 'idle');
    const parts = [];
    if (traffic.length > 0) parts.push(align([TRAFFIC_HEAD, ...traffic.map(trafficRow)]), TRAFFIC_NOTE);
    if (idle.length > 0) parts.push(align([IDLE_HEAD, ...idle.map(idleRow)]), IDLE_NOTE);
    return parts.join('\n\n');
}

/** One sentence for each thing that is not as it should be. @param {object[]} results */
export function complaints(results) {
    const sentences = [];
    for (const result of results) {
        const { name, lost, duplicated, reordered, foreign, failed } = result;
        if (verdict(result) === 'MISSED') {
            const is = result.kind === 'idle' ? `${Math.round(result.value)} bytes` : `${result.value.toFixed(2)} x the floor`;
            sentences.push(`MISSED ${name}: ${is}; the target is ${result.target} or less (${result.about}).`);
        }
        if (lost > 0) sentences.push(`LOST ${name}: ${count(lost)} deliveries never arrived.`);
        if (duplicated > 0) sentences.push(`DUPLICATED ${name}: ${count(duplicated)} deliveries came twice.`);
        if (reordered > 0) sentences.push(`REORDERED ${name}: ${count(reordered)} deliveries came out of order.`);
        if (foreign > 0) sentences.push(`ASTRAY ${name}: ${count(foreign)} deliveries came to the wrong room.`);
        if (failed > 0) sentences.push(`FAILED ${name}: ${count(failed)} connections did not open or did not stay.`);
    }
    return sentences;
}
