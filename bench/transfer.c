/* One large body through a proxy, on a connection of its own.
 *
 *   transfer down PORT PATH TOKEN BYTES     the upstream reads them in the path, /down-BYTES
 *   transfer up PORT PATH TOKEN BYTES
 *
 * Prints one JSON object.
 */

#define _GNU_SOURCE
#include "wire.h"

#include <inttypes.h>

enum { HEAD_BYTES = 65536 };

static char block[1 << 18], answered[HEAD_BYTES + 1];

static void ask(int fd, int up, int port, const char *path, const char *token, uint64_t bytes) {
  dprintf(fd, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n",
          up ? "POST" : "GET", path, port, token);
  if (up) dprintf(fd, "Content-Length: %" PRIu64 "\r\n", bytes);
  dprintf(fd, "Content-Type: application/octet-stream\r\n\r\n");
  for (uint64_t left = up ? bytes : 0; left > 0;) {
    ssize_t sent = send(fd, block, left < sizeof block ? left : sizeof block, MSG_NOSIGNAL);
    if (sent <= 0) return;
    left -= (uint64_t)sent;
  }
}

/* Whether it is a 200 that came to its end; a download that is chunked says no length. */
static int receive(int fd, int up, uint64_t bytes) {
  uint64_t here = 0, wanted = UINT64_MAX;
  size_t used = 0;
  while (here < wanted) {
    int in_head = wanted == UINT64_MAX;
    char *into = in_head ? answered + used : block;
    ssize_t got = recv(fd, into, in_head ? HEAD_BYTES - used : sizeof block, 0);
    if (got <= 0) return 0;
    here += (uint64_t)got;
    if (!in_head) continue;
    used += (size_t)got;
    char *end = memmem(answered, used, "\r\n\r\n", 4);
    if (end == NULL) continue;
    *end = 0;
    const char *length = header(answered, "content-length");
    here = used - (size_t)(end - answered) - 4;
    wanted = length != NULL ? strtoull(length, NULL, 10) : up ? 0 : bytes;
  }
  return memcmp(answered, "HTTP/1.1 200", 12) == 0;
}

int main(int count, char **words) {
  if (count != 6) return fprintf(stderr, "transfer: see the top of transfer.c\n"), 2;
  int up = strcmp(words[1], "up") == 0, port = atoi(words[2]);
  uint64_t bytes = strtoull(words[5], NULL, 10);
  int fd = dial(port);
  uint64_t began = now_ns();
  ask(fd, up, port, words[3], words[4], bytes);
  int whole = receive(fd, up, bytes);
  double seconds = (double)(now_ns() - began) / 1e9;
  if (!whole) fprintf(stderr, "transfer: %.300s\n", answered);
  printf("{\"seconds\":%.6f,\"mb_s\":%.1f,\"failures\":%d}\n", seconds,
         (double)bytes / seconds / 1e6, !whole);
  return 0;
}
