/* directory.h -- a worker's members by their ids and rooms.
 *
 * A connection has one id in all its rooms, and a member in each. Open addressing over pointers, keyed by the lower
 * half of the id (a counter) and the room's address, mixed: left as they are, the ids of a room would be one run of
 * slots, and two rooms' runs that lie upon each other cost thousands of steps a look-up. 8 to 16 bytes a member,
 * look-up and removal O(1). Owned by: rooms. */
#ifndef PLENUM_GATEWAY_ROOM_DIRECTORY_H
#define PLENUM_GATEWAY_ROOM_DIRECTORY_H

#include <stddef.h>
#include <stdint.h>

struct member;
struct room;

struct directory {
    struct member **slots; /* capacity a power of two, at most 3/4 full */
    uint32_t cap, count;
};

void directory_init(struct directory *directory);
void directory_close(struct directory *directory);

/* The member's id and room are set, stay as they are, and are not in there yet. */
void directory_add(struct directory *directory, struct member *member);
void directory_remove(struct directory *directory, struct member *member);

/* NULL when there is none (any more). */
struct member *directory_find(const struct directory *directory, uint64_t id, const struct room *room);

#endif
