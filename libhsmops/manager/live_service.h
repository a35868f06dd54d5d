// LiveService: the live APIs of all replicas as one: whichever answers serves.
//
// A write keeps its stamp and its opId however often and to whomever it is sent, so it is done once
// (docs/adr/0014). Not thread-safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libhsmops/manager/announcement.h"
#include "libhsmops/manager/live_api.h"
#include "libhsmops/manager/write_settling.h"
#include "libhsmops/mirror/apply.h"

namespace hsmops::manager {

struct LiveTarget {
  std::string pool;  // of the client's certificate: who answers has to be a manager of the same
  std::vector<Replica> replicas;  // asked in this order, and from then on the one that answered
  std::string ns;
  std::string device;
};

class LiveService {
 public:
  // Both must outlive it. Nothing is asked after `deadline`.
  LiveService(net::Transport& transport, base::Clock& clock, LiveTarget target,
              base::TimePoint deadline)
      : transport_(transport), clock_(clock), target_(std::move(target)), deadline_(deadline) {}

  // Errors as Front's. kUnavailable: no replica could answer; who was asked, and the next step.
  base::Result<Served> Get(const store::SecretName& name);

  // What a write would begin with, and nothing is written. Errors as Get's; kAuthFailed: the
  // certificate's role may not write.
  base::Result<void> Probe();

  // One result a write, in order. kUnavailable, kReadOnly: nothing was written. What is in doubt is
  // asked again, of whoever answers, until that is settled or the deadline; kInDoubt then.
  std::vector<base::Result<mirror::Acknowledged>> Put(std::vector<store::Write> writes,
                                                      const mirror::Progress& progress);

 private:
  base::Result<LiveClient> Client(const Replica& replica);
  // Asks one after the other until one's answer is not of the kind that another may answer better.
  template <typename T, typename Ask>
  base::Result<T> AskAny(const Ask& ask);
  base::Result<mirror::Stamp> FreshStamp();
  std::vector<SendWrites> Ways(const mirror::Stamp& stamp);
  bool Over() { return clock_.Now() >= deadline_; }

  net::Transport& transport_;
  base::Clock& clock_;
  LiveTarget target_;
  const base::TimePoint deadline_;
  std::optional<mirror::Stamp> stamp_;
  base::TimePoint stamped_{};
};

}  // namespace hsmops::manager
