// HttpServer: HTTP/1.1 over mutual TLS 1.3 for the members of one pool, or for front proxies.
//
// A peer is whom its certificate proves it to be, or it is nobody here. Every stage has a limit in
// time and in bytes, so that peers who are slow, silent or too many cost the others nothing: I/O is
// on threads of its own, and work runs on lanes, which are threads and a bounded queue for each
// kind of it. What is turned away is counted and told (refusals.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libhsmops/net/admission.h"
#include "libhsmops/net/credential_source.h"
#include "libhsmops/net/front_proxies.h"
#include "libhsmops/net/http_message.h"
#include "libhsmops/net/lane.h"
#include "libhsmops/net/refusals.h"

namespace hsmops::net {

struct ServerLimits {
  std::uint32_t header_bytes = 16 << 10;
  base::Duration handshake_time = std::chrono::seconds(5);
  base::Duration header_time =
      std::chrono::seconds(5);  // from its first byte; also for that of the first
  base::Duration idle_time = std::chrono::seconds(60);  // between two requests
  base::Duration body_pause = std::chrono::seconds(5);  // between two pieces of a body
  // All of a body, and of an answer: so long, and a second for each 64 KiB of it.
  base::Duration body_time = std::chrono::seconds(10);
  base::Duration write_time = std::chrono::seconds(30);
  // What comes after a refusal is read and thrown away for so long, so that the peer sees the
  // reason and not a reset connection.
  base::Duration linger_time = std::chrono::seconds(1);
  base::Duration accept_pause = std::chrono::milliseconds(100);  // after an accept that failed
  AdmissionLimits admission;
};

// Told of each request that was answered, by several threads at once: the name of its route, empty
// where there was none, and how long it took from its header on.
using Answered = std::function<void(const std::string& route, int status, base::Duration time)>;

// Who may speak for others to a server, as it is now; nullptr: nobody knows, so nobody is let in.
// Called for every connection: it does not wait.
using ProxySource = std::function<std::shared_ptr<const FrontProxies>()>;

struct ServerConfig {
  // "127.0.0.1:8443", "[::1]:8443", ":8443" (every address, IPv4 and IPv6); port 0: a free one.
  std::string listen;
  unsigned io_threads = 2;
  std::vector<LaneLimits> lanes;  // at least one
  ServerLimits limits;
  Answered answered;         // may be empty
  ProxySource proxies = {};  // it is theirs alone, and not for members of the pool
};

// Thread-safe, but for Stop and the destructor.
class HttpServer {
 public:
  // Listens when this returns. `credentials` and `clock` must outlive it. Errors: kInvalid: the
  // address is none; kUnavailable: it cannot be listened on.
  static base::Result<std::unique_ptr<HttpServer>> Start(ServerConfig config,
                                                         CredentialSource& credentials,
                                                         const base::Clock& clock, Router router,
                                                         Refusals::Log log);
  ~HttpServer();  // Stop, without patience

  // Where it listens, the port as it really is: "127.0.0.1:43211".
  const std::string& address() const;
  const Refusals& refusals() const;
  std::size_t connections() const;

  // Accepts nobody any more, closes connections that wait for a request, lets requests that have
  // begun be answered until `deadline` and closes what is left. Work that runs on a lane is waited
  // for beyond that: it cannot be ended from outside.
  void Stop(base::TimePoint deadline);

 private:
  class Server;
  explicit HttpServer(std::unique_ptr<Server> server);
  std::unique_ptr<Server> server_;
};

}  // namespace hsmops::net
