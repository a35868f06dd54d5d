// The golden transcripts of test/cli/transcripts, each run against the real binary and real tokens.
// HSMOPS_REWRITE=1 writes them anew; read the diff.
#include "test/cli/transcript.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "test/support/paths.h"
#include "test/support/temp_folder.h"

namespace {

std::vector<std::filesystem::path> Transcripts() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry :
       std::filesystem::directory_iterator(hsmops::test::TestFolder() + "/cli/transcripts")) {
    if (entry.path().extension() == ".txt") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace

TEST_CASE("every transcript comes out as it is written") {
  const auto paths = Transcripts();
  REQUIRE(paths.size() >= 8);
  for (const auto& path : paths) {
    CAPTURE(path.filename().string());
    const std::string golden = hsmops::test::ReadText(path);
    const std::string now = hsmops::test::RunTranscript(golden, hsmops::test::CliPath());
    if (std::getenv("HSMOPS_REWRITE") != nullptr) {
      std::ofstream(path) << now;
    } else {
      CHECK_MESSAGE(now == golden, "now:\n" << now);
    }
  }
}
