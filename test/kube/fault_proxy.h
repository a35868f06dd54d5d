// FaultProxy: between managers and the API server. It passes everything on, watches as the streams
// that they are, until a test says what goes wrong.
//
// It ends the client's TLS with the server's own certificate and opens one of its own to the server
// for each request. What a client proves by a token goes through, what it proves by a certificate
// does not. A fault that passes on must not fit a watch, whose answer has no end. Thread-safe.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "test/support/network.h"

namespace hsmops::test {

enum class FaultKind {
  kAnswer,      // `status` is the answer, and the server hears of nothing
  kExpire,      // of a watch: answered with 200, and the one event that comes is an error, 410
  kLoseAnswer,  // the server does it, and the connection is cut instead of an answer
  kKeepAnswer,  // the server does it, and nothing is answered while the fault lasts
  kHang         // the server hears of nothing, and nothing is answered while the fault lasts
};

struct Fault {
  FaultKind kind = FaultKind::kAnswer;
  int status = 500;
  std::string methods = {};  // "PUT POST"; empty: all
  std::string path = {};     // a part of path and query; empty: all
};

class FaultProxy {
 public:
  // Listens on that node, beside the API server there. `network` must outlive it.
  struct Certificates {
    std::string ca, cert, key;  // files
  };
  FaultProxy(const Network& network, const std::string& node, Certificates certificates);
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;

  const std::string& url() const { return url_; }

  // From now on the first of these that fits a request is what happens to it; none: all is well.
  void Set(std::vector<Fault> faults);
  // How many requests met one since Set.
  int met() const;
  // Cuts the watches that run now; how many.
  int CutWatches();

 private:
  class Open;    // a socket that others may cut
  class Client;  // a connection that was accepted
  struct Request;
  struct Tls;

  std::optional<Fault> FaultOf(const Request& request, int& since);
  void WaitWhile(int since);
  void Accept(const Certificates& certificates, const std::function<void()>& listens);

  const Network& network_;
  const std::string node_;
  const std::string url_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Fault> faults_;
  int set_ = 0;  // how often
  int met_ = 0;
  bool ends_ = false;
  std::map<int, bool> sockets_;  // and whether a watch runs on it
  std::jthread accepts_;         // last: it uses the others
};

}  // namespace hsmops::test
