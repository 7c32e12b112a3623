/* The upstream of the benchmark: answers at once, for as little as it can.
 *
 *   upstream PORT CHALLENGE RECEIPT
 *
 * What it does is in the request, for a proxy may rewrite the path or the body, seldom both:
 *
 *   any path          200 with one kilobyte, as a chat completion
 *   .../down-BYTES    200 with so many bytes
 *   .../paid/...      402 with CHALLENGE unless a payment is there: then 200 with RECEIPT. It
 *                     looks only whether one is there: what is measured is who pays, not who sells
 *   .../credit/...    the same for a sign-in
 *   .../balance/...   credit for everybody
 *   model "sse-EVENTS-GAP_US"   server-sent events, each with the moment in which it was sent
 */

#define _GNU_SOURCE
#include "wire.h"

#include <errno.h>
#include <sys/epoll.h>

enum { BUFFER_BYTES = 16384, EVENTS_MAX = 256, CONNECTIONS_MAX = 65536, BLOCK_BYTES = 1 << 20 };

struct connection {
  int fd;
  size_t used;          /* bytes in the buffer */
  uint64_t to_discard;  /* of a body that the buffer cannot hold */
  uint64_t to_send;     /* of a download */
  int events_left;      /* of a stream */
  uint64_t gap_ns, due_ns;
  char buffer[BUFFER_BYTES + 1];
};

static struct connection *connections[CONNECTIONS_MAX];
static int streams[CONNECTIONS_MAX], streams_open;
static uint64_t next_due_ns = UINT64_MAX;
static char block[BLOCK_BYTES], chat[4096], challenge[8192], paid[8192];
static size_t chat_bytes, challenge_bytes, paid_bytes;
static int epoll;

static void stop_stream(int fd) {
  for (int at = 0; at < streams_open; at++) {
    if (streams[at] == fd) {
      streams[at] = streams[--streams_open];
      return;
    }
  }
}

static void hang_up(struct connection *one) {
  if (one->events_left > 0) stop_stream(one->fd);
  connections[one->fd] = NULL;
  close(one->fd);
  free(one);
}

/* False when the other side does not read: no answer but a download is as large as its buffers. */
static int say(struct connection *one, const char *bytes, size_t length) {
  return send(one->fd, bytes, length, MSG_NOSIGNAL) == (ssize_t)length;
}

static int send_event(struct connection *one) {
  char event[512], chunk[600];
  int length = snprintf(
      event, sizeof event,
      "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\","
      "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%020llu\"},\"finish_reason\":null}]}"
      "\n\n",
      (unsigned long long)now_ns());
  const char *end = "";
  if (--one->events_left == 0) {
    length += snprintf(event + length, sizeof event - (size_t)length, "data: [DONE]\n\n");
    end = "0\r\n\r\n";
  }
  int whole = snprintf(chunk, sizeof chunk, "%x\r\n%s\r\n%s", length, event, end);
  return say(one, chunk, (size_t)whole);
}

static int start_stream(struct connection *one, int events, uint64_t gap_us) {
  static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                             "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";
  one->events_left = events;
  one->gap_ns = gap_us * 1000;
  if (!say(one, head, sizeof head - 1) || !send_event(one)) return 0;
  if (one->events_left > 0) {
    one->due_ns = now_ns() + one->gap_ns;
    if (one->due_ns < next_due_ns) next_due_ns = one->due_ns;
    streams[streams_open++] = one->fd;
  }
  return 1;
}

static void send_due_events(void) {
  uint64_t now = now_ns(), earliest = UINT64_MAX;
  if (now < next_due_ns) return;
  for (int at = 0; at < streams_open; at++) {
    struct connection *one = connections[streams[at]];
    if (one->due_ns <= now) {
      one->due_ns += one->gap_ns;
      int alive = send_event(one);
      if (one->events_left == 0) streams[at--] = streams[--streams_open];
      if (!alive) {
        if (one->events_left > 0) at--;
        hang_up(one);
        continue;
      }
      if (one->events_left == 0) continue;
    }
    if (one->due_ns < earliest) earliest = one->due_ns;
  }
  next_due_ns = earliest;
}

/* Sends what the socket takes, and asks to be told when it takes more. */
static int send_download(struct connection *one) {
  while (one->to_send > 0) {
    size_t most = one->to_send < BLOCK_BYTES ? (size_t)one->to_send : BLOCK_BYTES;
    ssize_t sent = send(one->fd, block, most, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return 0;
    if (sent < 0) break;
    one->to_send -= (uint64_t)sent;
  }
  struct epoll_event wanted = {.events = EPOLLIN, .data.fd = one->fd};
  if (one->to_send > 0) wanted.events |= EPOLLOUT;
  epoll_ctl(epoll, EPOLL_CTL_MOD, one->fd, &wanted);
  return 1;
}

/* Answers one request: its head ends in a zero byte, and ``body`` is as much as is kept of it. */
static int answer(struct connection *one, const char *head, const char *body, size_t body_bytes) {
  size_t line = strcspn(head, "\r");
  const char *down = memmem(head, line, "/down-", 6);
  const char *stream = memmem(body, body_bytes, "\"sse-", 5);
  int events;
  unsigned long long gap_us;
  if (stream != NULL && sscanf(stream, "\"sse-%d-%llu\"", &events, &gap_us) == 2) {
    return start_stream(one, events, gap_us);
  }
  if (down != NULL) {
    char reply[128];
    one->to_send = strtoull(down + 6, NULL, 10);
    int length = snprintf(reply, sizeof reply,
                          "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                          "Content-Length: %llu\r\n\r\n",
                          (unsigned long long)one->to_send);
    return say(one, reply, (size_t)length) && send_download(one);
  }
  if (memmem(head, line, "/balance/", 9) != NULL) {
    static const char credit[] =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 75\r\n\r\n"
        "{\"success\":true,\"data\":{\"balanceUsd\":1000,\"canConsume\":true,\"minimum\":0.1}}";
    return say(one, credit, sizeof credit - 1);
  }
  if (memmem(head, line, "/paid/", 6) != NULL) {
    int has = header(head, "payment-signature") != NULL || header(head, "x-payment") != NULL;
    return has ? say(one, paid, paid_bytes) : say(one, challenge, challenge_bytes);
  }
  if (memmem(head, line, "/credit/", 8) != NULL && header(head, "sign-in-with-x") == NULL) {
    return say(one, challenge, challenge_bytes);
  }
  return say(one, chat, chat_bytes);
}

/* Takes every whole request out of the buffer. False when the connection is of no more use. */
static int take_requests(struct connection *one) {
  while (one->used > 0) {
    one->buffer[one->used] = 0;
    char *end = memmem(one->buffer, one->used, "\r\n\r\n", 4);
    if (end == NULL) return one->used < BUFFER_BYTES;
    size_t head_bytes = (size_t)(end - one->buffer) + 4;
    char kept = *end;
    *end = 0;
    const char *length = header(one->buffer, "content-length");
    if (length == NULL && header(one->buffer, "transfer-encoding") != NULL) {
      fprintf(stderr, "upstream: a chunked request, which it does not read\n");
      return 0;
    }
    uint64_t body = length == NULL ? 0 : strtoull(length, NULL, 10);
    uint64_t here = one->used - head_bytes;
    if (body > BUFFER_BYTES / 2 && here < body) {
      /* Too large to look into: only its end matters. */
      one->to_discard = body - here;
      one->used = 0;
      return 1;
    }
    if (here < body) {
      *end = kept;
      return 1;
    }
    if (!answer(one, one->buffer, one->buffer + head_bytes, (size_t)body)) return 0;
    one->used = (size_t)(here - body);
    memmove(one->buffer, one->buffer + head_bytes + body, one->used);
  }
  return 1;
}

static int read_some(struct connection *one) {
  if (one->to_discard > 0) {
    static char thrown_away[BLOCK_BYTES];
    size_t most = one->to_discard < BLOCK_BYTES ? (size_t)one->to_discard : BLOCK_BYTES;
    ssize_t got = recv(one->fd, thrown_away, most, 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    one->to_discard -= (uint64_t)got;
    return one->to_discard > 0 || say(one, chat, chat_bytes);
  }
  ssize_t got = recv(one->fd, one->buffer + one->used, BUFFER_BYTES - one->used, 0);
  if (got <= 0) return got < 0 && errno == EAGAIN;
  one->used += (size_t)got;
  return take_requests(one);
}

static void accept_all(int listener) {
  int fd;
  while ((fd = accept(listener, NULL, NULL)) >= 0) {
    if (fd >= CONNECTIONS_MAX) fail("too many connections");
    never_wait(fd);
    send_at_once(fd);
    connections[fd] = calloc(1, sizeof(struct connection));
    connections[fd]->fd = fd;
    struct epoll_event wanted = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &wanted);
  }
}

static void write_answers(const char *terms, const char *receipt) {
  char body[2048];
  memset(block, 'x', sizeof block);
  int bytes = snprintf(
      body, sizeof body,
      "{\"id\":\"c\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m\",\"choices\":"
      "[{\"index\":0,\"finish_reason\":\"stop\",\"message\":{\"role\":\"assistant\","
      "\"content\":\"%.*s\"}}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1,"
      "\"total_tokens\":2}}",
      800, block);
  const char *answered = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
  chat_bytes = (size_t)snprintf(chat, sizeof chat, "%sContent-Length: %d\r\n\r\n%s", answered,
                                bytes, body);
  paid_bytes = (size_t)snprintf(paid, sizeof paid,
                                "%sPAYMENT-RESPONSE: %s\r\nContent-Length: %d\r\n\r\n%s", answered,
                                receipt, bytes, body);
  challenge_bytes = (size_t)snprintf(
      challenge, sizeof challenge,
      "HTTP/1.1 402 Payment Required\r\nContent-Type: application/json\r\n"
      "PAYMENT-REQUIRED: %s\r\nContent-Length: 2\r\n\r\n{}",
      terms);
}

int main(int count, char **words) {
  if (count != 4) return fprintf(stderr, "upstream PORT CHALLENGE RECEIPT\n"), 2;
  write_answers(words[2], words[3]);
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in address = loopback(atoi(words[1]));
  if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0) fail("bind");
  if (listen(listener, 4096) < 0) fail("listen");
  never_wait(listener);
  epoll = epoll_create1(0);
  struct epoll_event wanted = {.events = EPOLLIN, .data.fd = listener};
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &wanted);
  for (;;) {
    struct epoll_event events[EVENTS_MAX];
    int wait_ms = -1;
    if (streams_open > 0) {
      uint64_t now = now_ns();
      wait_ms = next_due_ns <= now ? 0 : (int)((next_due_ns - now) / 1000000) + 1;
    }
    int ready = epoll_wait(epoll, events, EVENTS_MAX, wait_ms);
    for (int at = 0; at < ready; at++) {
      if (events[at].data.fd == listener) {
        accept_all(listener);
        continue;
      }
      struct connection *two = connections[events[at].data.fd];
      int alive = events[at].events & EPOLLOUT ? send_download(two) : 1;
      if (alive && events[at].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) alive = read_some(two);
      if (!alive) hang_up(two);
    }
    if (streams_open > 0) send_due_events();
  }
}
