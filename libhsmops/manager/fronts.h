// Fronts: the fronts of a replica, one for each request that is under way, kept for the next.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "libhsmops/manager/front.h"

namespace hsmops::manager {

// Thread-safe.
class Fronts {
 public:
  // `world` must outlive it.
  explicit Fronts(World& world) : world_(world) {}

  // One front, the caller's own until this is gone. Fronts must outlive it.
  class Taken {
   public:
    ~Taken() { fronts_.Give(std::move(key_), std::move(front_)); }
    Taken(const Taken&) = delete;
    Taken& operator=(const Taken&) = delete;
    Front* operator->() { return front_.get(); }

   private:
    friend class Fronts;
    using Key = std::pair<std::string, std::string>;
    Taken(Fronts& fronts, Key key, std::unique_ptr<Front> front)
        : fronts_(fronts), key_(std::move(key)), front_(std::move(front)) {}

    Fronts& fronts_;
    Key key_;
    std::unique_ptr<Front> front_;
  };
  Taken Take(const std::string& ns, const std::string& device);

 private:
  void Give(Taken::Key key, std::unique_ptr<Front> front);

  World& world_;
  std::mutex mutex_;
  std::map<Taken::Key, std::vector<std::unique_ptr<Front>>> idle_;
};

}  // namespace hsmops::manager
