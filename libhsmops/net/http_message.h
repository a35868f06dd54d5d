// Received, Reply, Route: one request to our HTTP server and what becomes of it (RFC 9110, 9112).
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "libhsmops/base/bytes.h"
#include "libhsmops/base/clock.h"
#include "libhsmops/net/spiffe_id.h"

namespace hsmops::net {

struct Received {
  std::string method;
  std::string target;  // as it was sent: path and query, not decoded; from outside
  Identity identity;   // whom the peer's certificate proved it to be
  std::string remote;  // "10.0.0.7:41234"
  // By lower-case name; those of one name joined by ", " (RFC 9110 §5.3). From outside.
  std::map<std::string, std::string> headers;
  base::SecretBytes body;
  // Of a front proxy alone: every field as it came, names in lower case, since a value of one whom
  // it speaks for may hold a comma.
  std::vector<std::pair<std::string, std::string>> fields = {};
};

struct Reply {
  int status = 200;
  std::string content_type;
  base::SecretBytes body;
  std::optional<base::Duration> retry_after;   // told in whole seconds, rounded up
  std::map<std::string, std::string> headers;  // more of them, for instance Allow
};

// `text` as one line of plain text.
Reply PlainReply(int status, std::string_view text,
                 std::optional<base::Duration> retry_after = std::nullopt);

struct Route {
  std::size_t lane = 0;      // index into ServerConfig::lanes
  std::size_t max_body = 0;  // a longer one is answered with 413 and not read
  // Called on a thread of the lane. Does not throw.
  std::function<Reply(Received&&)> handle;
  std::string name = {};  // as a metric's label: one of a few words of ours
};

// Decides by the header, before the body is read; a Reply (403, 404, 405) ends it there. Called on
// the threads that do all I/O, by several at once: it neither waits nor throws.
using Router = std::function<std::variant<Route, Reply>(const Received& head)>;

// Status line and header fields with the empty line after them. Control characters in values of
// `reply` become spaces. RFC 9112 §4, §5.
std::string EncodeHead(const Reply& reply, bool keep_alive);

}  // namespace hsmops::net
