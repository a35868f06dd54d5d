// Errand: what takes long of what was asked for (a wipe, a copy of thousands), done beside the
// turns of whoever leads, so that it holds up neither a failover nor the status.
//
// It works with a pool of its own, as another manager would (protocol.md, 3): what matters is a
// compare-and-swap of R, and what has come too late is refused.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "libhsmops/manager/operation_log.h"

namespace hsmops::manager {

class Errand {
 public:
  // The sentence of what came of it; the operation's status has its end then.
  using Work = std::function<std::string(Pool& pool, OperationLog& log)>;
  struct Ended {
    OperationLog log;
    std::string sentence;
  };

  // `world` must outlive it.
  Errand(World& world, std::string ns, std::string device)
      : world_(world),
        ns_(std::move(ns)),
        device_(std::move(device)),
        monitor_(world.executor.MakeMonitor()) {}
  // Waits for its end.
  ~Errand();
  Errand(const Errand&) = delete;
  Errand& operator=(const Errand&) = delete;

  // Only where none is under way. Where the pool cannot be opened the operation ends as Failed.
  void Start(OperationLog log, Work work);
  // Also when it has ended and nobody took that yet.
  bool UnderWay() const { return log_.has_value(); }
  // The operation that is under way; "" for none.
  std::string operation() const { return name_; }
  // The member that it wipes and fills again; "" for none.
  std::string wiped() const { return wiped_; }
  // Once, when it has ended.
  std::optional<Ended> TakeEnd();

 private:
  std::string Do(const Work& work);

  World& world_;
  const std::string ns_;
  const std::string device_;
  std::string name_;
  std::string wiped_;
  std::optional<OperationLog> log_;  // of the one who works until it has ended
  std::string sentence_;
  std::unique_ptr<base::Monitor> monitor_;  // of what follows
  bool working_ = false;
};

}  // namespace hsmops::manager
