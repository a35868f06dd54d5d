// UnfinishedInit: where init puts what it makes for one device of a cluster folder, and the mark by
// which the same command, after a kill, knows that all of it is its own to finish.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "libhsmops/base/result.h"

namespace hsmops::cli {

class UnfinishedInit {
 public:
  UnfinishedInit(const std::string& folder, const std::string& ns, const std::string& device);

  const std::filesystem::path& folder() const { return folder_; }  // the cluster's, absolute
  std::filesystem::path TokenFolder(const std::string& node) const;
  std::filesystem::path StateFolder() const;  // what members remember beside their tokens

  // An init has begun this device and not ended.
  bool Begun() const;
  // Before the device is made. Its state folder must be there.
  base::Result<void> Begin() const;
  // The tokens belong to the device from now on, and nothing is left to finish.
  void End(const std::vector<std::string>& nodes) const;

 private:
  std::filesystem::path Mark() const { return StateFolder() / ".init"; }

  std::filesystem::path folder_;
  std::string of_device_;
};

}  // namespace hsmops::cli
