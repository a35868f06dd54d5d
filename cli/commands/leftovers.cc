#include "cli/commands/leftovers.h"

namespace hsmops::cli {

namespace fs = std::filesystem;

void Leftovers::Note(const fs::path& path, bool whole) {
  std::error_code error;
  if (fs::symlink_status(path, error).type() == fs::file_type::not_found)
    made_.push_back({path, whole});
}

void Leftovers::WillMake(const fs::path& path) { Note(path, false); }
void Leftovers::WillFill(const fs::path& folder) { Note(folder, true); }

void Leftovers::TakeAway() {
  for (; !made_.empty(); made_.pop_back()) {
    const Made& made = made_.back();
    std::error_code error;
    if (made.whole) {
      fs::remove_all(made.path, error);
    } else {
      fs::remove(made.path, error);
    }
    if (error) return;
  }
}

}  // namespace hsmops::cli
