#include "test/support/temp_folder.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace hsmops::test {

TempFolder::TempFolder() {
  // HSMOPS_TEST_FOLDER first: a test that fills a disk brings a small one of its own.
  const char* chosen = std::getenv("HSMOPS_TEST_FOLDER");
  const char* tmpdir = std::getenv("TMPDIR");
  std::string base = chosen != nullptr               ? chosen
                     : access("/dev/shm", W_OK) == 0 ? "/dev/shm"
                     : tmpdir != nullptr             ? tmpdir
                                                     : "/tmp";
  path_ = base + "/khsm-test-XXXXXX";
  REQUIRE(mkdtemp(path_.data()) != nullptr);
}

TempFolder::~TempFolder() {
  std::error_code ignored;  // a folder that stays behind is no reason to fail a test
  std::filesystem::remove_all(path_, ignored);
}

std::string ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE_MESSAGE(file.is_open(), "cannot read ", path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void WriteText(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  REQUIRE_MESSAGE(file.is_open(), "cannot write ", path);
  file << text;
  file.close();
  REQUIRE(file.good());
  REQUIRE(chmod(path.c_str(), 0600) == 0);
}

}  // namespace hsmops::test
