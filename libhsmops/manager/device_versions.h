// DeviceVersions: which version of each secret a device holds, read again only where it changed.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "libhsmops/manager/pool.h"

namespace hsmops::manager {

// Of one secret, as far as it is known.
struct HeldVersion {
  enum class State : std::uint8_t {
    kUnknown,  // nobody could be asked, or what is there is damaged
    kAbsent,   // the Primary has none
    kPresent,
  };
  State state = State::kUnknown;
  store::Version version;
  std::string node;  // who was asked
  std::string why;   // it is unknown
  bool by_primary = false;
};

// Not thread-safe.
class DeviceVersions {
 public:
  // `world` must outlive it.
  DeviceVersions(World& world, std::string ns, std::string device)
      : world_(world), ns_(std::move(ns)), device_(std::move(device)) {}

  // What changed since the last time: names of secrets, or everything.
  struct Changes {
    bool all = false;
    std::set<std::string> names;
  };
  // Asks the Primary or, when that does not answer, who else holds what is acknowledged.
  Changes Refresh();

  HeldVersion Of(const std::string& name) const;
  base::TimePoint refreshed() const { return refreshed_; }

 private:
  base::Result<void> OpenPool();
  base::Result<Changes> ReadFrom(const std::string& node);
  Changes Lose(std::string why);

  World& world_;
  const std::string ns_;
  const std::string device_;
  std::unique_ptr<Pool> pool_;
  base::TimePoint refreshed_{};
  std::optional<store::InventoryDigest> digest_;
  std::map<store::Id, store::InventoryItem> items_;
  std::set<std::string> legacy_;  // names in the older layout
  std::string node_;              // asked last with success; empty: nobody answers
  bool by_primary_ = false;
  std::string why_ = "nobody was asked yet";
};

}  // namespace hsmops::manager
