// KubeWatch: one watch of an API server, over as many streams as it takes.
//
// Internal to kube/.
#pragma once

#include <deque>
#include <mutex>

#include "libhsmops/kube/kube_resource_store.h"

namespace hsmops::kube {

class KubeWatch : public cluster::Watch {
 public:
  static base::Result<std::unique_ptr<cluster::Watch>> Open(KubeResourceStore& store,
                                                            cluster::Kind kind, std::string_view ns,
                                                            std::string_view from);

  base::Result<std::optional<cluster::Change>> Next(base::TimePoint deadline) override;
  void Stop() override;

 private:
  KubeWatch(KubeResourceStore& store, cluster::Kind kind, std::string_view ns)
      : store_(store), kind_(kind), ns_(ns) {}

  base::Result<void> Connect();
  base::Result<bool> RecordIsOlder();
  base::Result<void> Resync();
  base::Result<void> Take(const base::SecretBytes& line);
  base::Result<void> TakeError(int code, const std::string& message);

  KubeResourceStore& store_;
  const cluster::Kind kind_;
  const std::string ns_;
  std::string version_;   // told up to here
  bool resumes_ = false;  // a stream from there has ended
  std::deque<cluster::Change> pending_;
  std::mutex mutex_;  // of what Stop touches
  std::shared_ptr<RestStream> stream_;
  base::TimePoint stream_until_{};  // the server should have ended it by then
  bool stopped_ = false;
};

}  // namespace hsmops::kube
