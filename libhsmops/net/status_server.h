// StatusServer: health pages and metrics over plain HTTP/1.1, for those who have no certificate of
// the pool: kubelet, Prometheus, a load balancer.
//
// GET and HEAD only, and nothing secret behind it: who may connect is for the network to say. A
// peer that is slow or silent is dropped, and too many are refused.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "libhsmops/base/result.h"
#include "libhsmops/net/http_message.h"

namespace hsmops::net {

// Where a process listens, with and without the pages here; ports as they really are.
struct Listening {
  std::string address;
  std::string status;  // empty: no pages
};

// Of a path without its query. Does not wait and does not throw.
using Pages = std::function<Reply(std::string_view path)>;

class StatusServer {
 public:
  // Listens when this returns. `listen` as ServerConfig has it. kInvalid: it is no address;
  // kUnavailable: it cannot be listened on.
  static base::Result<std::unique_ptr<StatusServer>> Start(const std::string& listen, Pages pages);
  ~StatusServer();

  const std::string& address() const;  // the port as it really is

 private:
  class Server;
  explicit StatusServer(std::unique_ptr<Server> server);
  std::unique_ptr<Server> server_;
};

}  // namespace hsmops::net
