// Transport: one request to one peer and its answer; the seam at which a network can be simulated.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "libhsmops/base/bytes.h"
#include "libhsmops/base/clock.h"
#include "libhsmops/base/result.h"
#include "libhsmops/net/spiffe_id.h"

namespace hsmops::net {

struct Peer {
  std::string url;    // https://host:port, without a path
  SpiffeId identity;  // whom it must prove to be before it is told anything
};

struct Request {
  std::string method;  // GET, PUT, …
  std::string path;    // "/v1/status?live=1"
  base::SecretBytes body;
  std::string content_type;  // empty: none is said
  std::map<std::string, std::string> headers;
  base::TimePoint deadline;  // for all of it, the connection included
  std::size_t max_answer_bytes = std::size_t{1} << 20;
};

struct Answer {
  int status = 0;  // any: 503 is an answer too
  base::SecretBytes body;
  std::string content_type;
  std::optional<base::Duration> retry_after;
};

// The begin of an answer's body, fit for a terminal: why a peer refused, in its own words.
std::string ShownBody(const Answer& answer);

// kInvalid: the url, or the request's method, path, content type or a header, is malformed, or a
// header is one that a transport writes itself (Content-Length and the like).
base::Result<void> Check(const Peer& peer, const Request& request);

// Thread-safe; a call blocks until its deadline at the longest.
class Transport {
 public:
  virtual ~Transport() = default;

  // kAuthFailed: one end refused the other's certificate, so it surely did not get there.
  // kUnavailable: the same for want of a connection, or it was a GET or HEAD and no whole answer
  // came, which may simply be asked again. kInDoubt: it may have got there, and the answer was
  // lost. kLimit: the answer is larger than allowed; what was asked has been done. kInvalid: the
  // url, the method, the path or a header is malformed.
  virtual base::Result<Answer> Call(const Peer& peer, Request request) = 0;
};

}  // namespace hsmops::net
