/* redis_process.h -- a redis-server of the test's own, on a unix socket and a TCP port, ended by its process id.
 *
 * It dies with the test program, however that ends. Its directory is removed by redis_process_close, with what it
 * saved there. */
#ifndef PLENUM_TESTS_UNIT_SUPPORT_REDIS_PROCESS_H
#define PLENUM_TESTS_UNIT_SUPPORT_REDIS_PROCESS_H

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct redis_process {
    pid_t pid; /* 0: not running */
    int port;
    char directory[64];
    char socket[96];
};

/* A port that is free now. */
static inline int redis_process_free_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        abort();
    close(fd);
    return ntohs(address.sin_port);
}

/* Connects as a plain client, for looking at what the bus did. Retries for some seconds, as a server is slow to start.
 */
static inline redisContext *redis_process_connect(const struct redis_process *redis)
{
    for (int i = 0; i < 500; i++) {
        redisContext *client = redisConnectUnix(redis->socket);
        if (client && !client->err)
            return client;
        if (client)
            redisFree(client);
        usleep(10000);
    }
    fprintf(stderr, "redis-server at %s does not answer\n", redis->socket);
    abort();
}

/* Starts the server; extra is a NULL-terminated list of further arguments, or NULL. Returns when it answers. */
static inline void redis_process_run(struct redis_process *redis, const char *const *extra)
{
    char port[8];
    snprintf(port, sizeof port, "%d", redis->port);
    const char *argv[32] = {"redis-server",   "--port",     port,     "--bind",       "127.0.0.1", "--unixsocket",
                            redis->socket,    "--save",     "",       "--appendonly", "no",        "--dir",
                            redis->directory, "--loglevel", "warning"};
    int argc = 15;
    for (; extra && *extra; extra++)
        argv[argc++] = *extra;

    redis->pid = fork();
    if (redis->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        int null = open("/dev/null", O_RDWR);
        dup2(null, 1);
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    redisFree(redis_process_connect(redis));
}

static inline void redis_process_init(struct redis_process *redis, const char *const *extra)
{
    *redis = (struct redis_process){.port = redis_process_free_port()};
    strcpy(redis->directory, "/tmp/plenum-test-XXXXXX");
    if (!mkdtemp(redis->directory))
        abort();
    snprintf(redis->socket, sizeof redis->socket, "%s/redis.sock", redis->directory);
    redis_process_run(redis, extra);
}

/* SIGKILL, and waits for its end. */
static inline void redis_process_kill(struct redis_process *redis)
{
    if (!redis->pid)
        return;
    kill(redis->pid, SIGKILL);
    waitpid(redis->pid, NULL, 0);
    redis->pid = 0;
    unlink(redis->socket);
}

static inline int redis_process_remove(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status, (void)type, (void)place;
    return remove(path);
}

static inline void redis_process_close(struct redis_process *redis)
{
    redis_process_kill(redis);
    nftw(redis->directory, redis_process_remove, 8, FTW_DEPTH | FTW_PHYS);
}

/* Runs one command of a plain client and returns its integer, or -1. */
static inline long long redis_process_integer(redisContext *client, const char *command)
{
    redisReply *reply = redisCommand(client, command);
    long long value = reply && reply->type == REDIS_REPLY_INTEGER ? reply->integer : -1;
    if (reply)
        freeReplyObject(reply);
    return value;
}

#endif
