/**
 * metrics.js -- Prometheus text, read strictly.
 */

/**
 * @typedef {{name: string, labels: Record<string, string>, value: number}} Sample
 */

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)/y;

/** What one scrape said. */
export class Metrics {
    /** @type {Sample[]} */
    samples = [];
    /** @type {Map<string, string>} name of a family -> its type */
    types = new Map();
    /** @type {Map<string, string>} name of a family -> its help text */
    help = new Map();

    /** @param {string} text throws on anything that is not Prometheus text */
    constructor(text) {
        if (!text.endsWith('\n')) throw new Error('metrics do not end with a line feed');
        for (const line of text.slice(0, -1).split('\n')) {
            if (line.startsWith('# HELP ')) this.#describe(this.help, line);
            else if (line.startsWith('# TYPE ')) this.#describe(this.types, line);
            else if (line !== '' && !line.startsWith('#')) this.samples.push(parseSample(line));
        }
    }

    #describe(table, line) {
        const [, , name, ...rest] = line.split(' ');
        if (table.has(name)) throw new Error(`${line}: twice`);
        table.set(name, rest.join(' '));
    }

    /**
     * The sum of all samples of that name that carry these labels; undefined when there is none.
     * @param {string} name
     * @param {Record<string, string>} [labels]
     */
    get(name, labels = {}) {
        const found = this.samples.filter(
            (sample) =>
                sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
        );
        return found.length ? found.reduce((sum, sample) => sum + sample.value, 0) : undefined;
    }
}

/** @param {string} line @returns {Sample} */
function parseSample(line) {
    const match = SAMPLE.exec(line);
    const value = match && (match[3] === '+Inf' ? Infinity : Number(match[3]));
    if (!match || Number.isNaN(value)) throw new Error(`not a sample: ${line}`);
    const labels = {};
    const inside = match[2] ?? '';
    for (LABEL.lastIndex = 0; LABEL.lastIndex < inside.length; ) {
        const label = LABEL.exec(inside);
        if (!label) throw new Error(`not labels: ${line}`);
        labels[label[1]] = label[2];
    }
    return { name: match[1], labels, value };
}
