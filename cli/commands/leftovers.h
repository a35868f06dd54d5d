// Leftovers: files and folders that a command makes and takes away again if it fails.
#pragma once

#include <filesystem>
#include <vector>

namespace hsmops::cli {

class Leftovers {
 public:
  // Said before it is made; what is there already is never taken away.
  void WillMake(const std::filesystem::path& path);
  // The same for a folder that goes with everything in it.
  void WillFill(const std::filesystem::path& folder);
  // The newest first, as well as it can be. Ends at the first folder that somebody else has put
  // something into: what was made before it is theirs by now, too.
  void TakeAway();

 private:
  struct Made {
    std::filesystem::path path;
    bool whole;
  };
  void Note(const std::filesystem::path& path, bool whole);

  std::vector<Made> made_;
};

}  // namespace hsmops::cli
