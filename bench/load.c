/* The load generator of the benchmark: one thread, epoll, and nothing done twice for a call.
 *
 *   load chat PORT PATH TOKEN CONNECTIONS MILLISECONDS same|changing
 *   load stream PORT PATH TOKEN STREAMS EVENTS GAP_US
 *
 * A chat call has the headers of the OpenAI client and one kilobyte of body, which differs from
 * call to call; ``changing`` adds a traceparent that does, too. Each prints one JSON object.
 */

#define _GNU_SOURCE
#include "wire.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/epoll.h>

enum { BUFFER_BYTES = 65536, CONNECTIONS_MAX = 4096, WAITS_MAX = 8000000, EVENTS_MAX = 256 };
/* A run is at least so many calls for each connection, if they do not take too long. */
#define CALLS_LEAST 2
#define LATE_NS_MAX 20000000000ull

struct connection {
  int fd;
  uint64_t sent_ns;
  int events_left; /* of a stream; -1 before its first byte */
  size_t used;
  char buffer[BUFFER_BYTES + 1];
};

static int port, epoll;
static const char *path, *token;
static struct connection *connections;
static uint32_t *waits, *firsts; /* in nanoseconds */
static size_t waits_count, firsts_count, failures, merged;
static char request[8192];
static size_t request_bytes, body_at, trace_at;
static uint64_t ends_ns;
static size_t waits_least, in_flight;

static int compare(const void *left, const void *right) {
  uint32_t one = *(const uint32_t *)left, two = *(const uint32_t *)right;
  return (one > two) - (one < two);
}

/* Of sorted ones, in microseconds. */
static double percentile(const uint32_t *sorted, size_t count, double part) {
  return count == 0 ? -1.0 : sorted[(size_t)((double)(count - 1) * part)] / 1000.0;
}

static void note(uint32_t *into, size_t *count, uint64_t nanoseconds) {
  if (*count < WAITS_MAX) into[(*count)++] = (uint32_t)nanoseconds;
}

static void note_failure(const char *what) {
  if (failures++ == 0) fprintf(stderr, "load: %.300s\n", what);
}

static void note_unanswered(size_t count) {
  if (count > 0) note_failure("not answered to the end in time");
  if (count > 0) failures += count - 1;
}

/* ``model`` tells the upstream what to do. The digits that change are found again afterwards. */
static void write_request(const char *model, int changing) {
  char body[2048], filling[900];
  memset(filling, 'x', sizeof filling);
  int bytes = snprintf(body, sizeof body,
                       "{\"model\":\"%s\",\"stream\":%s,\"messages\":[{\"role\":\"user\","
                       "\"content\":\"0123456789abcdef%.*s\"}]}",
                       model, strncmp(model, "sse-", 4) == 0 ? "true" : "false",
                       (int)sizeof filling, filling);
  const char *trace =
      "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-0123456789abcdef-01\r\n";
  request_bytes = (size_t)snprintf(
      request, sizeof request,
      "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept-Encoding: gzip, deflate\r\n"
      "Connection: keep-alive\r\nAccept: application/json\r\nContent-Type: application/json\r\n"
      "User-Agent: OpenAI/Python 3.52.0\r\nx-stainless-lang: python\r\nx-stainless-os: Linux\r\n"
      "x-stainless-retry-count: 0\r\nx-stainless-read-timeout: 600\r\n"
      "x-stainless-runtime: CPython\r\n%sAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
      path, port, changing ? trace : "", token, bytes, body);
  char *digits = strstr(request, "0123456789abcdef");
  trace_at = changing ? (size_t)(digits - request) : 0;
  if (changing) digits = strstr(digits + 1, "0123456789abcdef");
  body_at = (size_t)(digits - request);
}

static void send_request(struct connection *one) {
  static uint64_t number;
  char digits[17];
  /* From the clock, so that a second run does not repeat the calls of the first. */
  if (number == 0) number = now_ns();
  snprintf(digits, sizeof digits, "%016" PRIx64, ++number);
  memcpy(request + body_at, digits, 16);
  if (trace_at > 0) memcpy(request + trace_at, digits, 16);
  one->used = 0;
  one->sent_ns = now_ns();
  in_flight++;
  if (send(one->fd, request, request_bytes, MSG_NOSIGNAL) != (ssize_t)request_bytes) {
    note_failure("a request that could not be sent whole");
  }
}

/* Nothing is in flight at the end: what it costs would be somebody else's in the next turn. */
static void send_another(struct connection *one) {
  in_flight--;
  if (now_ns() < ends_ns || waits_count < waits_least) send_request(one);
}

static void open_connections(int count) {
  epoll = epoll_create1(0);
  connections = calloc((size_t)count, sizeof *connections);
  for (int at = 0; at < count; at++) {
    connections[at].fd = dial(port);
    never_wait(connections[at].fd);
    struct epoll_event wanted = {.events = EPOLLIN, .data.u32 = (uint32_t)at};
    epoll_ctl(epoll, EPOLL_CTL_ADD, connections[at].fd, &wanted);
  }
}

/* Some proxies end a connection between two calls; that is no failure, and costs a new one. */
static void open_again(struct connection *one) {
  close(one->fd);
  one->fd = dial(port);
  never_wait(one->fd);
  struct epoll_event wanted = {.events = EPOLLIN, .data.u32 = (uint32_t)(one - connections)};
  epoll_ctl(epoll, EPOLL_CTL_ADD, one->fd, &wanted);
}

/* Whether the answer is here to its end. Nothing else ends like a last chunk: bodies are JSON. */
static int is_whole(struct connection *one) {
  one->buffer[one->used] = 0;
  char *end = memmem(one->buffer, one->used, "\r\n\r\n", 4);
  if (end == NULL) return 0;
  *end = 0;
  const char *length = header(one->buffer, "content-length");
  size_t wanted = length == NULL ? 0 : strtoull(length, NULL, 10);
  *end = '\r';
  size_t here = one->used - (size_t)(end - one->buffer) - 4;
  if (length != NULL) return here >= wanted;
  return here >= 5 && memcmp(one->buffer + one->used - 5, "0\r\n\r\n", 5) == 0;
}

static void receive_chat(struct connection *one) {
  ssize_t got = recv(one->fd, one->buffer + one->used, BUFFER_BYTES - one->used, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) {
    note_failure("a connection that ended before its answer");
    open_again(one);
    send_another(one);
    return;
  }
  one->used += (size_t)got;
  if (!is_whole(one)) return;
  note(waits, &waits_count, now_ns() - one->sent_ns);
  if (memcmp(one->buffer, "HTTP/1.1 200", 12) != 0) note_failure(one->buffer);
  if (strcasestr(one->buffer, "\r\nconnection: close") != NULL) open_again(one);
  send_another(one);
}

static void run_chat(int count, uint64_t milliseconds, int changing) {
  write_request("m", changing);
  open_connections(count);
  uint64_t began = now_ns();
  ends_ns = began + milliseconds * 1000000;
  waits_least = CALLS_LEAST * (size_t)count;
  for (int at = 0; at < count; at++) send_request(&connections[at]);
  while (in_flight > 0 && now_ns() < ends_ns + LATE_NS_MAX) {
    struct epoll_event events[EVENTS_MAX];
    int ready = epoll_wait(epoll, events, EVENTS_MAX, 100);
    for (int at = 0; at < ready; at++) receive_chat(&connections[events[at].data.u32]);
  }
  double seconds = (double)(now_ns() - began) / 1e9;
  note_unanswered(in_flight);
  qsort(waits, waits_count, sizeof *waits, compare);
  printf("{\"requests\":%zu,\"seconds\":%.6f,\"rate\":%.1f,\"p50_us\":%.2f,\"p99_us\":%.2f,"
         "\"failures\":%zu}\n",
         waits_count, seconds, (double)waits_count / seconds, percentile(waits, waits_count, 0.5),
         percentile(waits, waits_count, 0.99), failures);
}

/* Takes whole lines only; each event says when it was sent. False at the stream's end. */
static int take_events(struct connection *one, uint64_t now) {
  int here = 0;
  char *from = one->buffer, *end;
  one->buffer[one->used] = 0;
  while ((end = strchr(from, '\n')) != NULL) {
    *end = 0;
    char *stamp = strstr(from, "\"content\":");
    if (stamp != NULL && (stamp += 10 + strspn(stamp + 10, " \""))[0] == '0') {
      note(waits, &waits_count, now - strtoull(stamp, NULL, 10));
      one->events_left--;
      here++;
    }
    from = end + 1;
  }
  one->used -= (size_t)(from - one->buffer);
  memmove(one->buffer, from, one->used);
  if (here > 1) merged += (size_t)here - 1;
  return one->events_left > 0;
}

/* False when the stream has ended, well or not. */
static int receive_stream(struct connection *one, int events) {
  ssize_t got = recv(one->fd, one->buffer + one->used, BUFFER_BYTES - one->used, 0);
  uint64_t now = now_ns();
  if (got < 0 && errno == EAGAIN) return 1;
  if (got <= 0) {
    note_failure("a stream that ended before its last event");
    return 0;
  }
  one->used += (size_t)got;
  if (one->events_left < 0) {
    one->buffer[one->used] = 0;
    if (memcmp(one->buffer, "HTTP/1.1 200", 12) != 0) {
      note_failure(one->buffer);
      return 0;
    }
    /* The head alone is nothing that an app could show. */
    if (memmem(one->buffer, one->used, "data: ", 6) == NULL) return 1;
    note(firsts, &firsts_count, now - one->sent_ns);
    one->events_left = events;
  }
  return take_events(one, now);
}

static void run_streams(int count, int events, int gap_us) {
  char model[64];
  snprintf(model, sizeof model, "sse-%d-%d", events, gap_us);
  write_request(model, 0);
  open_connections(count);
  for (int at = 0; at < count; at++) {
    connections[at].events_left = -1;
    send_request(&connections[at]);
  }
  /* Twice as long as it should take, and a proxy that buffers has had its chance. */
  uint64_t ends = now_ns() + 2000ull * (uint64_t)gap_us * (uint64_t)events + 2 * LATE_NS_MAX;
  int open = count;
  while (open > 0 && now_ns() < ends) {
    struct epoll_event ready[EVENTS_MAX];
    int many = epoll_wait(epoll, ready, EVENTS_MAX, 1000);
    for (int at = 0; at < many; at++) {
      struct connection *one = &connections[ready[at].data.u32];
      if (one->fd >= 0 && !receive_stream(one, events)) {
        close(one->fd);
        one->fd = -1;
        open--;
      }
    }
  }
  note_unanswered((size_t)open);
  qsort(waits, waits_count, sizeof *waits, compare);
  qsort(firsts, firsts_count, sizeof *firsts, compare);
  printf("{\"events\":%zu,\"first_p50_us\":%.2f,\"first_max_us\":%.2f,\"delay_p50_us\":%.2f,"
         "\"delay_p99_us\":%.2f,\"delay_max_us\":%.2f,\"merged\":%zu,\"failures\":%zu}\n",
         waits_count, percentile(firsts, firsts_count, 0.5), percentile(firsts, firsts_count, 1.0),
         percentile(waits, waits_count, 0.5), percentile(waits, waits_count, 0.99),
         percentile(waits, waits_count, 1.0), merged, failures);
}

int main(int count, char **words) {
  const char *mode = count > 4 ? words[1] : "";
  if (count > 4) port = atoi(words[2]), path = words[3], token = words[4];
  waits = malloc(WAITS_MAX * sizeof *waits);
  firsts = malloc(WAITS_MAX * sizeof *firsts);
  if (strcmp(mode, "chat") == 0 && count == 8) {
    run_chat(atoi(words[5]), strtoull(words[6], NULL, 10), strcmp(words[7], "changing") == 0);
  } else if (strcmp(mode, "stream") == 0 && count == 8) {
    run_streams(atoi(words[5]), atoi(words[6]), atoi(words[7]));
  } else {
    fprintf(stderr, "load: see the top of load.c\n");
    return 2;
  }
  return 0;
}
