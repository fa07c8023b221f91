/* The least that a program can do to receive UDP datagrams: recvmmsg(2) in batches of 64 with time stamps and drop
 * counters, and nothing with what it received.
 *
 * bare ADDRESS PORT NAP; prints "ready", then on SIGTERM the number of datagrams. With a NAP (microseconds) it waits as the
 * collector does: after a batch that was not full it lets packets gather that long, and when there are none it sleeps in
 * poll(2). With 0 it calls recvmmsg and nothing else, which waits for the first datagram and takes what is there. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 64, SLOT = 65536 + 1600, BUFFER = 64 << 20 };

static volatile sig_atomic_t stop;

static void on_stop(int number) {
    (void)number;
    stop = 1;
}

int main(int count, char **words) {
    if (count != 4) return 2;
    long nap = atol(words[3]);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(words[2]))};
    if (inet_pton(AF_INET, words[1], &at.sin_addr) != 1) return 2;
    int fd = socket(AF_INET, SOCK_DGRAM, 0), one = 1, buffer = BUFFER;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer)) perror("SO_RCVBUFFORCE");
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&at, sizeof at)) { perror("bind"); return 1; }
    struct sigaction action = {.sa_handler = on_stop};
    sigaction(SIGTERM, &action, NULL);

    unsigned char *memory = malloc((size_t)BATCH * SLOT);
    static struct sockaddr_storage names[BATCH];
    static struct { _Alignas(8) unsigned char bytes[128]; } controls[BATCH];
    static struct iovec slices[BATCH];
    static struct mmsghdr headers[BATCH];
    unsigned long long received = 0;
    printf("ready\n");
    fflush(stdout);
    while (!stop) {
        for (int i = 0; i < BATCH; i++) {
            slices[i] = (struct iovec){memory + (size_t)i * SLOT, SLOT};
            headers[i].msg_hdr = (struct msghdr){&names[i], sizeof names[i], &slices[i], 1, &controls[i], 128, 0};
        }
        int taken = recvmmsg(fd, headers, BATCH, nap ? MSG_DONTWAIT : MSG_WAITFORONE, NULL);
        struct timespec gather = {0, nap * 1000};
        if (taken > 0) received += (unsigned)taken;
        if (!nap || taken == BATCH) continue;
        if (taken < 0) {
            struct pollfd entry = {fd, POLLIN, 0};
            if (poll(&entry, 1, 100) <= 0) continue;
        }
        nanosleep(&gather, NULL);
    }
    printf("%llu\n", received);
    return 0;
}
