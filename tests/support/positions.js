/**
 * positions.js -- where a client stands in each of its rooms: what it gives as `resume` when it comes back.
 *
 * The rules are those of plenum.md ("A position is the pair of ..."), read by themselves: the judge of the tests shares no
 * code with the client that is delivered. The ack of a repeat never moves a position: it may be that of an old message.
 */

/** @typedef {{epoch: string, offset: number}} Position */

export class Positions {
    /** @type {Map<string, Position>} */
    #rooms = new Map();

    /**
     * What to resume from; undefined before the first join.
     * @param {string} room
     * @returns {Position | undefined}
     */
    get(room) {
        const position = this.#rooms.get(room);
        return position && { ...position };
    }

    /** Forgets a room: the next join starts over. @param {string} room */
    forget(room) {
        this.#rooms.delete(room);
    }

    /**
     * Looks at a frame of the server.
     * @param {Record<string, any>} frame
     * @param {import('./plenum_client.js').Request} [request] the one that it answers
     */
    take(frame, request) {
        const { type, room, epoch, offset } = frame;
        if (type === 'joined') this.#join(frame, request);
        else if (type === 'message') this.#move(room, offset);
        else if (type === 'gap') this.#move(room, frame.to);
        else if (type === 'epoch') this.#rooms.set(room, { epoch, offset });
        else if (type === 'ack' && request?.type === 'publish' && !request.repeat) this.#move(request.room, offset);
    }

    /** While a replay is under way, the position is where the replay has come to, in the epoch that `joined` names. */
    #join(joined, { room, fields }) {
        const { epoch, offset, recovered } = joined;
        this.#rooms.set(room, { epoch, offset: recovered ? fields.resume.offset : offset });
    }

    #move(room, offset) {
        const position = this.#rooms.get(room);
        if (position && offset > position.offset) position.offset = offset;
    }
}
