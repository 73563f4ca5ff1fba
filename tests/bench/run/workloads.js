/**
 * workloads.js -- what is measured, as a table.
 *
 * A `traffic` workload runs the load generator against the floor and against the gateways in turn and compares the CPU
 * per delivery. An `idle` workload opens quiet connections and looks at the gateway's memory.
 */

/**
 * @typedef {object} Workload
 * @property {string} name
 * @property {string} about one line for people
 * @property {'traffic' | 'idle'} kind
 * @property {number} [gateways] how many share the members (1)
 * @property {string[]} [load] options of the load generator: traffic
 * @property {boolean} [log] the gateway keeps a log, and is compared with one that keeps none instead of with the floor
 * @property {number} [connections] idle
 * @property {number} [seconds] measured, when not 5: where little CPU is used the clock ticks of 10 ms need longer
 * @property {number} [target] the ratio to the floor, or the bytes per connection, that should not be exceeded
 */

/** @type {Workload[]} */
export const workloads = [
    {
        name: 'burst16',
        about: '1 room x 1,000, 128 B, 800/s in bursts of 16',
        kind: 'traffic',
        load: ['--members', '1000', '--publishers', '1', '--rate', '800', '--burst', '16'],
        target: 1.2,
    },
    {
        name: 'flatout8',
        about: '1 room x 1,000, 128 B, 8 publishers flat out',
        kind: 'traffic',
        load: ['--members', '1000', '--publishers', '8', '--rate', '0', '--window', '32'],
        target: 1.25,
    },
    {
        name: 'flatout1',
        about: '1 room x 1,000, 128 B, 1 publisher flat out',
        kind: 'traffic',
        load: ['--members', '1000', '--publishers', '1', '--rate', '0', '--window', '32'],
    },
    {
        name: 'paced100',
        about: '1 room x 1,000, 128 B, 100/s',
        kind: 'traffic',
        load: ['--members', '1000', '--publishers', '1', '--rate', '100'],
    },
    {
        name: 'small-rooms',
        about: '1,000 rooms x 10, 128 B, 1/s each room, members on two gateways',
        kind: 'traffic',
        gateways: 2,
        load: ['--rooms', '1000', '--members', '10', '--members-publish', '1', '--rate', '1'],
        seconds: 10,
    },
    {
        name: 'big',
        about: '1 room x 10,000, 128 B, 10/s',
        kind: 'traffic',
        load: ['--members', '10000', '--publishers', '1', '--rate', '10'],
    },
    {
        name: 'log1',
        about: '1 room x 1,000, 128 B, 1 publisher flat out: with a log / without',
        kind: 'traffic',
        log: true,
        load: ['--members', '1000', '--publishers', '1', '--rate', '0', '--window', '32'],
        target: 1.15,
    },
    {
        name: 'log8',
        about: '1 room x 1,000, 128 B, 8 publishers flat out: with a log / without',
        kind: 'traffic',
        log: true,
        load: ['--members', '1000', '--publishers', '8', '--rate', '0', '--window', '32'],
        target: 1.15,
    },
    { name: 'idle9000', about: '9,000 quiet connections in one room', kind: 'idle', connections: 9000, target: 400 },
    { name: 'idle15000', about: '15,000 quiet connections in one room', kind: 'idle', connections: 15000, target: 400 },
];

/**
 * The workloads of these names, in the table's order; all when there are none.
 * @param {string[]} names
 */
export function select(names) {
    const unknown = names.filter((name) => !workloads.some((workload) => workload.name === name));
    if (unknown.length > 0) throw new Error(`no workload '${unknown.join("', '")}': see --list`);
    return names.length === 0 ? workloads : workloads.filter((workload) => names.includes(workload.name));
}
