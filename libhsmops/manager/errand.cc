#include "libhsmops/manager/errand.h"

#include <mutex>
#include <utility>

namespace hsmops::manager {

Errand::~Errand() {
  const std::lock_guard lock(*monitor_);
  while (working_) monitor_->Wait();
}

void Errand::Start(OperationLog log, Work work) {
  const cluster::HSMOperationSpec& spec = log.operation().spec;
  name_ = log.name();
  const bool wipes = spec.type == cluster::OperationType::kReinit && !spec.dry_run;
  wiped_ = wipes ? spec.target_node : "";
  log_.emplace(std::move(log));
  {
    const std::lock_guard lock(*monitor_);
    working_ = true;
  }
  world_.executor.Start([this, work = std::move(work)] {
    std::string sentence = Do(work);
    const std::lock_guard lock(*monitor_);
    sentence_ = std::move(sentence);
    working_ = false;
    monitor_->NotifyAll();
  });
}

std::string Errand::Do(const Work& work) {
  const auto pool = Pool::Open(world_, ns_, device_);
  if (pool.ok()) return work(**pool, *log_);
  return log_->Fail(pool.error());
}

std::optional<Errand::Ended> Errand::TakeEnd() {
  if (!log_) return std::nullopt;
  const std::lock_guard lock(*monitor_);
  if (working_) return std::nullopt;
  Ended ended{*std::move(log_), std::move(sentence_)};
  log_.reset();
  name_.clear();
  wiped_.clear();
  return ended;
}

}  // namespace hsmops::manager
