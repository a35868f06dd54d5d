#include "cli/commands/unfinished_init.h"

#include "libhsmops/agent/local_token.h"
#include "libhsmops/base/file.h"

namespace hsmops::cli {

namespace fs = std::filesystem;

UnfinishedInit::UnfinishedInit(const std::string& folder, const std::string& ns,
                               const std::string& device)
    : folder_(fs::absolute(folder).lexically_normal()), of_device_(ns + "." + device) {
  if (!folder_.has_filename()) folder_ = folder_.parent_path();  // "c/" is "c"
}

fs::path UnfinishedInit::TokenFolder(const std::string& node) const {
  return folder_ / "tokens" / of_device_ / node;
}

fs::path UnfinishedInit::StateFolder() const { return folder_ / ".members" / of_device_; }

bool UnfinishedInit::Begun() const {
  std::error_code error;
  return fs::exists(Mark(), error);
}

base::Result<void> UnfinishedInit::Begin() const {
  return base::WriteFile(Mark().string(), base::AsBytes("an init is not finished\n"), 0600);
}

void UnfinishedInit::End(const std::vector<std::string>& nodes) const {
  for (const std::string& node : nodes) agent::SettleLocalToken(TokenFolder(node).string());
  std::error_code ignored;  // a mark that stays makes the same command look once more
  fs::remove(Mark(), ignored);
}

}  // namespace hsmops::cli
